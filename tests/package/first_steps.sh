#!/bin/bash
# first_steps.sh DEB: the examples that call the package: cloud-init's user data, Ansible's tasks, Terraform's module. Needs root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
deb=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What Terraform's module makes of the example is what a person makes of it. An address that is signed has all sorts of signs in it.
# shellcheck disable=SC2016  # they are signs
url='https://packages.example.org/a/civicum-tune.deb?Signature=a$1b$url$$c&Expires=1%2B' sum=$(sha256sum "$deb" | cut -d' ' -f1)
python3 -c '
import sys
text = open(sys.argv[1], encoding="utf-8").read()
for name, value in zip(("url", "sha256", "profile"), sys.argv[2:]):
    before, rest = text.split(f" {name}=\x27", 1)
    text = f"{before} {name}=\x27{value}\x27" + rest.partition("\x27")[2]
print(text, end="")' "$top/templates/cloud-init/user-data.yaml" "$url" "$sum" civicum-8g >"$work/user-data"
cp -r "$top/templates/cloud-init" "$top/templates/terraform" "$work/"
terraform=$(command -v tofu || command -v terraform || true)
if [ -n "$terraform" ]; then
  export CHECKPOINT_DISABLE=1 TF_INPUT=0 TF_IN_AUTOMATION=1 TF_CLI_CONFIG_FILE=/dev/null
  cd "$work/terraform"
  "$terraform" fmt -check -diff >/dev/null
  "$terraform" init -no-color >/dev/null 2>&1
  values=(-var "deb_url=$url" -var "deb_sha256=$sum" -var profile=civicum-8g)
  "$terraform" apply -no-color -auto-approve "${values[@]}" >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
  "$terraform" output -raw user_data >"$work/made" 2>/dev/null
  cmp "$work/made" "$work/user-data"
  echo "ok    terraform: the module's output is the example with the values in it"
  if "$terraform" apply -no-color -auto-approve "${values[@]}" -var "deb_url=https://x/'; reboot; '" >"$work/said" 2>&1; then
    echo "FAIL  terraform took an address with a quote in it"
    exit 1
  fi
  echo "ok    terraform: an address with a quote in it is refused"
else
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" --quiet install python-hcl2
  "$work/venv/bin/python" -c 'import hcl2, sys; assert "output" in hcl2.load(open(sys.argv[1]))' "$work/terraform/main.tf"
  echo "ok    terraform: not here; its file can be parsed"
fi
cd "$top"

# Two hosts, since each of them installs the package.
tar=$("$here/../install/root.sh" bookworm ansible-core python3-apt cloud-init)
for host in ansible boot; do
  mkdir "$work/$host"
  tar -xpf "$tar" -C "$work/$host"
  cp "$deb" "$work/$host/root/civicum-tune.deb"
  cp "$work/user-data" "$work/$host/root/"
  cp -r "$here/../hosts/debian-12-cloud-kernel/tree" "$work/$host/root/tree"
  # Its kernel has PSI switched off, so that there is a boot line to be written, and a restart to be made.
  echo CONFIG_PSI_DEFAULT_DISABLED=y >>"$work/$host/root/tree/boot/config-6.1.0-26-cloud-amd64"
  rm -r "$work/$host/root/tree/proc/pressure"
  printf 'extends = "civicum-12g"\n[swap]\nsize = "64MiB"\n[boot]\nmanage = true\npsi = true\n' >"$work/$host/root/own.toml"
done
mkdir -p "$work/boot/root/tree/etc/civicum-tune"
mv "$work/boot/root/own.toml" "$work/boot/root/tree/etc/civicum-tune/profile.toml"
cp "$here/first_boot.sh" "$work/boot/root/"
cp "$top/templates/ansible/civicum-tune.yml" "$here/ansible.sh" "$work/ansible/root/"
"$here/enter.sh" "$work/boot" bash /root/first_boot.sh
"$here/enter.sh" "$work/ansible" bash /root/ansible.sh
