#!/bin/bash
# Gets PP-OCRv6's two small models and ONNX Runtime out of the PyPI wheels `rapidocr` and `onnxruntime`, whose contents are
# pinned here, and puts them into a folder: FOLDER, or ~/.cache/civicum-tune/ocr. Prints the folder.
#
# usage: fetch-models.sh [FOLDER]
# Status 77: no registry can be reached, or it has not these versions.
set -euo pipefail

folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/civicum-tune/ocr}

# SHA-256 of each file, and where it comes from.
det=090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f
rec=6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884
ort=6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f

whole() {
  printf '%s  %s\n' "$det" PP-OCRv6_det_small.onnx "$rec" PP-OCRv6_rec_small.onnx "$ort" libonnxruntime.so |
    (cd "$1" 2>/dev/null && sha256sum --check --quiet --strict - >/dev/null 2>&1)
}

if whole "$folder"; then
  echo "$folder"
  exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The interpreter's version does not matter: of a wheel only the files are taken. One that exists for these wheels is named.
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.12 \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform any --dest "$work" rapidocr==3.10.0 onnxruntime==1.32.0 >&2 || exit 77

mkdir -p "$folder"
python3 - "$work" "$folder" <<'P'
import pathlib, sys, zipfile

work, folder = map(pathlib.Path, sys.argv[1:])
wanted = {"PP-OCRv6_det_small.onnx": "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx": "PP-OCRv6_rec_small.onnx"}
for wheel in work.glob("*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            base = pathlib.PurePosixPath(name).name
            target = "libonnxruntime.so" if base.startswith("libonnxruntime.so.") else wanted.get(base)
            if target:
                (folder / f"{target}.new").write_bytes(archive.read(name))
                (folder / f"{target}.new").rename(folder / target)
P
whole "$folder" || { echo "error: what the wheels hold is not what is pinned in $0" >&2; exit 2; }
echo "$folder"
