# shellcheck shell=bash
# What the scripts share that fetch something for the tests. Status 77: it can't be had on this machine. Anything else is a fault: a
# checksum or a signature that is wrong is no mirror that can't be reached.

# cant WHY: there is none here, and why.
cant() { echo "left out: $*" >&2; exit 77; }

# apt_mirror NAME: where this system's apt gets Debian's packages (`debian`, `debian-security`); nothing where it knows none. Debian's
# cloud images name a file with mirrors instead: apt-transport-mirror(1).
apt_mirror() {
  local site origin
  # shellcheck disable=SC2016  # what stands in single quotes is for apt
  while read -r site origin; do
    case $site in
      mirror+file:* | mirror:file:*)
        site=/${site##*file:}
        while [[ $site == //* ]]; do site=${site#/}; done
        site=$(awk '$1 ~ /^https?:/ { print $1; exit }' "$site" 2>/dev/null)
        ;;
    esac
    site=${site%/}
    # Others have a `/debian` too. Without lists apt does not know whose it is.
    if [[ $site == */"$1" && ${origin:-Debian} == Debian ]]; then
      echo "$site"
      return
    fi
  done < <(apt-get indextargets --format '$(SITE) $(ORIGIN)' 'Created-By: Packages' 2>/dev/null | sort -u)
}

# debian_mirror: that one, or the one that CIVICUM_TUNE_MIRROR names.
debian_mirror() {
  local mirror
  command -v apt-get >/dev/null || cant "there is no apt-get here to fetch packages of Debian with"
  mirror=${CIVICUM_TUNE_MIRROR:-$(apt_mirror debian)}
  # Without its lists, as in a new container, apt tells of none.
  if [ -z "$mirror" ] && [ "$(id -u)" -eq 0 ]; then
    apt-get update >/dev/null 2>&1 || true
    mirror=$(apt_mirror debian)
  fi
  [ -n "$mirror" ] || cant "apt knows no mirror of Debian here; name one: CIVICUM_TUNE_MIRROR=URL"
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || cant "Debian's keys are not here: apt install debian-archive-keyring"
  echo "${mirror%/}"
}

# outside COMMAND…: what asks a mirror or a registry; what it said is shown only when it fails. "Is not signed" is what apt also says of a
# proxy's page.
outside() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  if [ "$status" -ne 0 ]; then
    tail -n 5 "$log" >&2
    if grep -qiE 'hash sum mismatch|do not match the hashes|invalid signature|bad signature|signatures were invalid|NO_PUBKEY' "$log"; then status=1; else status=77; fi
  fi
  rm -f "$log"
  return "$status"
}
