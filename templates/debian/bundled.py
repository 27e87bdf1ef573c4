"""What a crate brings into the program beside Rust: C that it carries and compiles. `cargo metadata` does not tell of it."""

# The crate: name of what it carries, its licence as we use it, the file with its words in the crate, its address. The version is
# what the crate's own version has behind the `+`.
BUNDLED = {
    "lz4-sys": ("lz4", "BSD-2-Clause", "liblz4/lib/LICENSE", "lz4/lz4"),
    "zstd-sys": ("zstd", "BSD-3-Clause", "zstd/LICENSE", "facebook/zstd"),
}

# What Rust's own library for musl brings into a static program: name, title, licence, who holds the rights, address.
OF_MUSL = [
    ("musl", "musl", "MIT", "Rich Felker, et al.", "https://musl.libc.org"),
    ("libunwind", "LLVM's libunwind", "Apache-2.0 WITH LLVM-exception", "", "https://llvm.org"),
]


def linked(metadata):
    """What ends in the program: reached over normal dependencies alone, and no macro that only the compiler runs."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    packages = {package["id"]: package for package in metadata["packages"]}
    own = metadata["resolve"]["root"]
    seen, left = set(), [own]
    while left:
        here = left.pop()
        macro = any("proc-macro" in target["kind"] for target in packages[here]["targets"])
        if here in seen or macro:
            continue
        seen.add(here)
        left += [dep["pkg"] for dep in nodes[here]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
    found = sorted((packages[one] for one in seen - {own}), key=lambda package: (package["name"], package["version"]))
    for package in found:
        built_with = {packages[dep["pkg"]]["name"] for dep in nodes[package["id"]]["deps"]
                      if any(kind["kind"] == "build" for kind in dep["dep_kinds"])}
        if built_with & {"cc", "cmake"} and package["name"] not in BUNDLED:
            raise SystemExit(f"{package['name']} compiles C that templates/debian/bundled.py does not know: its licence would be lost")
    return found


def carried(crate, version):
    """(name, version, licence, file, repository) of the C that this crate carries, or None."""
    if crate not in BUNDLED:
        return None
    name, licence, file, repository = BUNDLED[crate]
    # 1.11.1+lz4-1.10.0, 2.1.3+zstd.1.5.7
    number = version.partition("+")[2].removeprefix(name).lstrip("-.")
    if not number:
        raise SystemExit(f"the version of {crate}, {version}, does not tell that of the {name} in it")
    return name, number, licence, file, repository
