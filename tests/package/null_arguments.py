"""Calls every exported function with NULL for all of its pointers, then for one at a time with the others in order, each
call in a process of its own. None may crash; a pointer that is not optional must be VISE_ERR_USAGE with its name; and
what the vise_error held before must be gone. The prototypes come from the installed headers, so a new function is
covered, or fails, without a change here. Takes PREFIX, CC and WORK from the environment."""
import collections
import ctypes
import os
import re
import signal
import subprocess
import sys
import tempfile

PREFIX, CC = os.environ["PREFIX"], os.environ["CC"]
USAGE = 1
STALE = b"an error of an earlier call"

# Pointers that may be NULL, as the headers say, by the name of the argument: everywhere, or with the call's name before.
# Their error is what the caller brings.
TAKE_ERRORS = {"vise_ranks_agree"}
OPTIONAL = {
    "err", "stats", "n_done", "report", "user", "result", "row_weights", "validation", "test", "train", "header", "mask",
    "shift", "scale", "n_rows", "n_cols", "device", "vise_dataset_from_arrays.targets", "vise_evaluate.config",
    "vise_dataset_from_transformed.targets", "vise_model_set_preprocessing.json", "vise_model_set_signs.signs", "vise_preprocessor_fit.options",
    "vise_preprocessor_fit.rows", "vise_ranks_add.ranks", "vise_preprocessor_transform.options", "vise_table_add_numbers.names",
    "vise_table_add_text.name", "vise_table_add_fields.name", "vise_table_create.name", "vise_table_parse.options", "vise_table_read.options",
    "vise_table_split.options", "vise_table_split.preprocessor_options", "vise_table_folds.options",
    "vise_table_folds.preprocessor_options", "vise_folds_split.rows", "vise_folds_split_past.rows", "vise_dataset_folds.options",
    "vise_predict.config", "vise_score.config", "vise_trainer_run.config", "vise_bench_run.out", "vise_fit.options",
    "vise_sweep_create.config", "vise_dataset_prepare.options", "vise_dataset_prepare.how", "vise_ranks_add.ranks",
    "vise_complexity_parse.list", "vise_certify.config", "vise_certificate_output.float32_error",
    "vise_certificate_integers.is_trained", "vise_certificate_sums.fullest",
}

Parameter = collections.namedtuple("Parameter", "name type is_pointer")
Function = collections.namedtuple("Function", "name result parameters")


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("text", ctypes.c_char * 1024)]


class Array(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int)] + [
        (name, ctypes.c_size_t) for name in ("n_rows", "n_cols", "row_stride", "col_stride")]


class Counts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in ("rows", "without_target", "dropped", "filled", "unknown", "unseen")]


def split_parameters(text):
    """The parameters, split at the commas that are not inside parentheses."""
    parts, depth, start = [], 0, 0
    for at, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [part.strip() for part in parts + [text[start:]] if part.strip() not in ("", "void")]


def parse_parameter(text):
    callback = re.match(r".*\(\*(\w+)\)\(.*\)$", text)
    if callback:
        return Parameter(callback.group(1), "callback", True)
    match = re.match(r"(?:const )?(.*?)(\w+)$", text)
    kind = match.group(1).replace("const", "").strip()
    return Parameter(match.group(2), re.sub(r"\s+", "", kind), "*" in kind)


def functions():
    source = subprocess.run([CC, "-E", "-P", "-DVISE_BUILDING_LIBRARY", "-I", f"{PREFIX}/include", "-x", "c",
                             f"{PREFIX}/include/vise/vise.h"], check=True, capture_output=True, text=True).stdout
    for text in source.split('visibility("default")))')[1:]:
        text = re.sub(r"__attribute__\(\(.*?\)\)", "", text[:text.index(";")]).strip()
        match = re.match(r"(.*?)\b(\w+)\s*\((.*)\)$", re.sub(r"\s+", " ", text))
        yield Function(match.group(2), match.group(1).replace(" *", "*").strip(),
                       [parse_parameter(p) for p in split_parameters(match.group(3))])


class Samples:
    """A value in order for each type of argument, made with the library itself."""

    def __init__(self, vise):
        self.vise, self.kept = vise, []
        vise.vise_array_of.restype = Array
        self.x = self.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 5.0]])
        self.y = self.array([[1.0], [2.0], [3.0], [4.0]])
        self.dataset = self.made("vise_dataset_from_arrays", ctypes.byref(self.x), ctypes.byref(self.y), None, True)
        net = self.config("vise_net_config")
        (ctypes.c_size_t * 4).from_buffer(net)[1:4] = [1, 2, 1]  # layers and widths
        self.net = net
        self.model = self.made("vise_model_create", net, 4)
        train = self.config("vise_train_config")
        ctypes.c_int.from_buffer(train, 8).value = 2  # mse
        self.train = train
        self.table = self.made("vise_table_create", b"table", ctypes.c_size_t(4))
        if vise.vise_table_add_numbers(self.table, None, ctypes.byref(self.x), None) != 0:
            raise RuntimeError("vise_table_add_numbers failed")
        self.preprocessor = self.made("vise_preprocessor_fit", self.table, None, None, ctypes.c_size_t(0))
        self.transformed = self.made("vise_preprocessor_transform", self.preprocessor, self.table, None)
        self.space = self.made("vise_space_create", self.config("vise_space_options"))
        if vise.vise_space_add_axis(self.space, b"l2=0.1", None) != 0:
            raise RuntimeError("vise_space_add_axis failed")
        self.folder = self.made("vise_folder_open", b"folder", True)
        config = self.config("vise_certify_config")
        lows = (ctypes.c_double * 2)(0.0, 0.0)
        (ctypes.c_void_p * 3).from_buffer(config)[1:3] = [ctypes.addressof(lows)] * 2
        self.certificate = self.made("vise_certify", self.model, config)
        self.complexity = self.made("vise_complexity_parse", None)
        self.sweep = self.made("vise_sweep_create", None)
        fit = self.config("vise_sweep_fit")
        pointers = (ctypes.c_void_p * 7).from_buffer(fit)  # after its size and id: training, net, scheme, initial, train
        pointers[2], pointers[3], pointers[6] = ctypes.addressof(train), ctypes.addressof(net), self.dataset.value
        self.fit = fit
        self.trainer = self.made("vise_trainer_create", train, self.model_f32(), self.dataset, None, None)

    def array(self, rows):
        values = (ctypes.c_double * (len(rows) * len(rows[0])))(*(v for row in rows for v in row))
        self.kept.append(values)
        return self.vise.vise_array_of(values, 4, ctypes.c_size_t(len(rows)), ctypes.c_size_t(len(rows[0])))

    def made(self, call, *arguments):
        out, err = ctypes.c_void_p(), Error()
        if getattr(self.vise, call)(*arguments, ctypes.byref(out), ctypes.byref(err)) != 0:
            raise RuntimeError(f"{call}: {err.text.decode()}")
        return out

    def model_f32(self):
        return self.made("vise_model_clone", self.model, 3)

    def config(self, kind):
        buffer = ctypes.create_string_buffer(8192)
        getattr(self.vise, kind + "_init")(buffer)
        return buffer

    def of(self, parameter):
        if not parameter.is_pointer:
            return ctypes.c_double(0.5) if parameter.type == "double" else ctypes.c_size_t(1)
        objects = {"vise_model*": self.model, "vise_dataset*": self.dataset, "vise_trainer*": self.trainer,
                   "vise_table*": self.table, "vise_preprocessor*": self.preprocessor,
                   "structvise_preprocessor*": self.preprocessor, "structvise_transformed*": self.transformed,
                   "vise_transformed*": self.transformed, "vise_net_config*": self.net, "vise_train_config*": self.train,
                   "vise_sweep*": self.sweep, "vise_folder*": self.folder, "vise_sweep_fit*": self.fit, "vise_space*": self.space, "vise_complexity*": self.complexity, "vise_certificate*": self.certificate,
                   "char*": b"sample",
                   "callback": None, "vise_array*": ctypes.byref(self.y if parameter.name == "y" else self.x)}
        if parameter.type in objects:
            return objects[parameter.type]
        if parameter.type == "vise_option*":
            self.vise.vise_option_at.restype = ctypes.c_void_p
            return ctypes.c_void_p(self.vise.vise_option_at(ctypes.c_size_t(0)))
        if hasattr(self.vise, parameter.type[:-1] + "_init"):
            return self.config(parameter.type[:-1])
        return ctypes.create_string_buffer(1 << 16)


def call(vise, function, arguments):
    """In a process of its own: (status, code and text of the error); a text when it crashed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        err = Error(3, STALE)
        values = [ctypes.byref(err) if p.name == "err" and a is not None else a
                  for p, a in zip(function.parameters, arguments)]
        entry = getattr(vise, function.name)
        entry.restype = {"vise_status": ctypes.c_int, "vise_array": Array, "vise_transform_counts": Counts}.get(function.result, ctypes.c_void_p)
        status = entry(*values)
        status = status if function.result == "vise_status" else 0
        os.write(writing, f"{status} {err.code} ".encode() + err.text)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, ended = os.waitpid(child, 0)
    if ended != 0:
        return f"ended by signal {os.WTERMSIG(ended)}" if os.WIFSIGNALED(ended) else f"ended with {ended}"
    status, code, text = answer.split(b" ", 2)
    return int(status), int(code), text.decode()


def faults_of(vise, function, samples):
    pointers = [p for p in function.parameters if p.is_pointer]
    written = function.name.replace("_sized", "")
    for missing in [pointers] + [[p] for p in pointers]:
        what = f"{function.name} with {', '.join(p.name for p in missing)} NULL"
        arguments = [None if p in missing else samples.of(p) for p in function.parameters]
        result = call(vise, function, arguments)
        if isinstance(result, str):
            yield f"{what}: {result}"
            continue
        status, code, text = result
        if function.result != "vise_status" or missing == pointers or missing[0].name == "err":
            continue
        name = missing[0].name
        if written in TAKE_ERRORS:
            continue
        if text == STALE.decode():
            yield f"{what}: the vise_error still holds an earlier error"
        elif status != code:
            yield f"{what}: returned {status}, but the error's code is {code}"
        elif name not in OPTIONAL and f"{written}.{name}" not in OPTIONAL:
            if status != USAGE or not re.search(rf"\b{name}\b", text):
                yield f"{what}: expected VISE_ERR_USAGE with its name, got {status}: {text}"


def main():
    path = f"{PREFIX}/lib/libvise.so"
    vise = ctypes.CDLL(path)
    lines = subprocess.run(["nm", "-D", "--defined-only", path], check=True, capture_output=True, text=True).stdout
    exported = {line.split()[-1].split("@")[0] for line in lines.splitlines()}
    declared = {function.name: function for function in functions()}
    found = [f"{name} is exported, but no prototype was found" for name in sorted(exported - set(declared))]
    with tempfile.TemporaryDirectory(dir=os.environ.get("WORK")) as folder:
        os.chdir(folder)
        samples = Samples(vise)
        for name in sorted(exported & set(declared)):
            found += faults_of(vise, declared[name], samples)
    print("\n".join(found) or f"{len(declared)} functions, none crashes")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
