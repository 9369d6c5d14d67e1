"""A program compiled with headers older or newer than the library works with it: growth.c runs against the installed
shared library with headers whose structs lack their last fields, with those of today, and with some fields more. Takes
PREFIX, CC and WORK from the environment."""
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PREFIX, CC, WORK = os.environ["PREFIX"], os.environ["CC"], os.environ["WORK"]

# Struct -> what an older release lacked at its end. A struct that is part of another, or of none of these, cannot grow.
LACKING = {
    "vise_dataset_source": "const struct vise_table_options *table;",
    "vise_run_config": "void *user;",
    "vise_run_result": "uint64_t resumed_from_step;",
    "vise_eval_config": "int n_threads, device;",
    "vise_step_stats": "bool skipped; int bad_tensor;",
    "vise_tensor_stats": ", n_at_lo, n_at_hi",
    "vise_weight_op_report": "double norm_after;",
    "vise_plan": "unsigned near_rows;",
    "vise_device_info": "uint64_t memory_bytes;",
    "vise_bench_config": "void *user;",
    "vise_bench_result": "size_t n_errors;",
    "vise_train_config": "bool assert_projection;",
    "vise_net_config": "bool residual;",
    "vise_layer": "size_t span;",
    "vise_table_options": "const char *also;",
    "vise_preprocessor_options": "const char *group;",
    "vise_fold_options": "const char *group; bool time_order;",
    "vise_certify_config": "const char *origin;",
    "vise_export_config": "const vise_dataset *data;",
    "vise_space_options": "uint64_t seed;",
    "vise_scores": "bool larger_is_better;",
}
MORE = "double of_a_later_release[5];"


def change(source, name, edit):
    """The source with the body of the struct changed, without its comments."""
    match = re.search(r"(typedef struct %s \{)(.*?)(\} %s;)" % (name, name), source, re.S)
    if not match:
        return source, False
    body = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", match.group(2), flags=re.S))
    return source[:match.start(2)] + edit(name, body) + source[match.end(2):], True


def without_last(name, body):
    at = body.rindex(LACKING[name])
    return body[:at] + (";" if LACKING[name].startswith(",") else "")


def make_headers(folder, edit):
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(f"{PREFIX}/include", folder)
    missing = set(LACKING)
    for file in os.listdir(f"{folder}/vise"):
        path = f"{folder}/vise/{file}"
        with open(path, encoding="utf-8") as stream:
            source = stream.read()
        for name in LACKING:
            source, found = change(source, name, edit)
            missing -= {name} if found else set()
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(source)
    if missing:
        raise RuntimeError(f"not found in the headers: {', '.join(sorted(missing))}")


def run(name, include):
    program = f"{WORK}/growth_{name}"
    subprocess.run([CC, "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{include}", f"{HERE}/growth.c", "-o", program,
                    f"-L{PREFIX}/lib", "-lvise", f"-Wl,-rpath,{PREFIX}/lib"], check=True)
    done = subprocess.run([program], cwd=WORK, capture_output=True, text=True)
    print(f"{name}: {done.stdout}", end="")
    return done.returncode == 0, done.stdout


def main():
    with open(f"{WORK}/growth.csv", "w", encoding="utf-8") as file:
        file.write("x,y\n1,2\n2,3\n")
    make_headers(f"{WORK}/older", without_last)
    make_headers(f"{WORK}/newer", lambda name, body: body + MORE)
    results = [run("older", f"{WORK}/older"), run("today", f"{PREFIX}/include"), run("newer", f"{WORK}/newer")]
    sizes = {text for _, text in results}
    return 0 if all(ok for ok, _ in results) and len(sizes) == 3 else 1


if __name__ == "__main__":
    sys.exit(main())
