#!/bin/bash
# run.sh BINARY: builds the image (once) and lives through everything on it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=$1
image=$("$here/build-image.sh")
failed=0
python3 "$here/life.py" "$binary" "$image" || failed=1
python3 "$here/zram.py" "$binary" "$image" || failed=1
python3 "$here/cuts.py" "$binary" "$image" "${CIVICUM_TUNE_CUTS:-3}" || failed=1
exit $failed
