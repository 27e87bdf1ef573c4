"""The kernel parameters and the file of the profile `minimal`, as a pyinfra deploy."""

import io

from pyinfra.operations import files, server

VALUES = {"vm.swappiness": 60, "vm.page-cluster": 0, "vm.watermark_scale_factor": 50, "vm.max_map_count": 1048576}

for key, value in VALUES.items():
    server.sysctl(name=key, key=key, value=value, persist=True, persist_file="/etc/sysctl.d/99-zz-bench.conf")
for path in ("/etc/default/grub.d/zz-bench.cfg", "/etc/systemd/system/bench-zswap.service"):
    files.put(name=path, src=io.StringIO("text\n"), dest=path, mode="644")
