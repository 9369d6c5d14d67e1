"""Makes a wheel that runs anywhere of one that was built here:

    python host/python/bundle.py BUILT.whl FOLDER

auditwheel copies the shared libraries that libvise needs into it; their licences, as Debian keeps them, are put beside that
of Vise. Prints the path of the wheel in FOLDER. Needs auditwheel, patchelf and wheel."""
import glob
import os
import re
import subprocess
import sys
import tempfile

# What is linked into libvise (cmake/ViseDependencies.cmake).
WITHIN = {"libarchive13"}


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"bundle: {' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def package_of(library):
    """The Debian package that a bundled library comes from: libz-1a2b3c.so.1.2 was libz.so.1.2."""
    name = re.sub(r"-[0-9a-f]{8,}(?=\.so)", "", os.path.basename(library))
    stem = name[:name.index(".so") + 3]
    found = run("dpkg", "-S", f"*/{stem}*")
    owners = [line.split(":")[0] for line in found.splitlines() if f"/{stem}." in line]
    packages = {owner for owner in owners if "-dev" not in owner}
    if not packages:
        sys.exit(f"bundle: no package has {name}, so its licence is not known")
    return sorted(packages)[0]


def main():
    built, folder = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        run(sys.executable, "-m", "auditwheel", "repair", built, "-w", work)
        (repaired,) = glob.glob(os.path.join(work, "*.whl"))
        run(sys.executable, "-m", "wheel", "unpack", repaired, "-d", os.path.join(work, "open"))
        (root,) = glob.glob(os.path.join(work, "open", "*"))
        (licences,) = glob.glob(os.path.join(root, "*.dist-info", "licenses"))
        libraries = glob.glob(os.path.join(root, "vise.libs", "*"))
        for package in sorted({package_of(library) for library in libraries} | WITHIN):
            with open(f"/usr/share/doc/{package}/copyright", encoding="utf-8") as file:
                text = file.read()
            with open(os.path.join(licences, f"{package}.txt"), "w", encoding="utf-8") as file:
                file.write(text)
        os.makedirs(folder, exist_ok=True)
        for old in glob.glob(os.path.join(folder, "vise-*.whl")):
            os.remove(old)
        run(sys.executable, "-m", "wheel", "pack", root, "-d", folder)
    (made,) = glob.glob(os.path.join(folder, "vise-*.whl"))
    print(made)


main()
