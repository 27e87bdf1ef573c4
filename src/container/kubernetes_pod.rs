//! The pod of a service: as hard as its container is.

use serde_json::{Map, Value, json};

use super::desired::{Deployment, Service};
use super::kubernetes::dns;
use super::notes::Notes;
use super::plan::cpus;
use crate::profile::mount;
use crate::t;

/// The label of a deployment.
pub(super) const PART_OF: &str = "app.kubernetes.io/part-of";
/// The label of a service in it.
pub(super) const HERE: &str = "app.kubernetes.io/name";

/// The hardest of the Pod Security Standards that all pods hold.
pub(super) fn level(deployment: &Deployment) -> &'static str {
    // What the standard `baseline` lets a container keep.
    const BASELINE: [&str; 13] = [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ];
    let is_any = |is: &dyn Fn(&Service) -> bool| deployment.services.iter().any(is);
    let keeps = |service: &Service, but: &[&str]| {
        service.fixed.capabilities.iter().any(|name| !but.contains(&name.as_str()))
    };
    if is_any(&|s| s.fixed.volumes.iter().any(|v| !v.is_named()) || keeps(s, &BASELINE)) {
        "privileged"
    } else if is_any(&|s| is_root(s) || keeps(s, &["NET_BIND_SERVICE"])) {
        "baseline"
    } else {
        "restricted"
    }
}

fn is_root(service: &Service) -> bool {
    mount::user(&service.fixed.user).is_none_or(|(uid, _)| uid == 0)
}

/// `is_claimed` tells of a volume whether the `StatefulSet` brings its claim along.
pub(super) fn spec(service: &Service, is_claimed: &dyn Fn(&str) -> bool) -> Value {
    let fixed = &service.fixed;
    let (uid, gid) = mount::user(&fixed.user).unwrap_or((65534, 65534));
    let (volumes, mounts) = mounts(service, is_claimed);
    let mut container = json!({
        "name": dns(&service.name),
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": !fixed.writable,
            "capabilities": { "drop": ["ALL"] },
        },
        "volumeMounts": mounts,
    });
    if let Some(image) = &service.image {
        container["image"] = json!(image);
    }
    if !fixed.capabilities.is_empty() {
        container["securityContext"]["capabilities"]["add"] = json!(fixed.capabilities);
    }
    if !fixed.command.is_empty() {
        container["args"] = fixed.command.iter().map(|word| json!(escaped(word))).collect();
    }
    if !fixed.environment.is_empty() {
        let variables = fixed.environment.iter();
        container["env"] =
            variables.map(|(name, value)| json!({ "name": name, "value": escaped(value) })).collect();
    }
    if let Some(words) = fixed.health.as_ref().filter(|words| !words.is_empty()) {
        // Until it answers it gets no caller. It is not killed for it: no more does Docker.
        container["readinessProbe"] = json!({
            "exec": { "command": words }, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3,
        });
    }
    if let Some(signal) = &fixed.stop_signal {
        // The cluster sends TERM, whatever the image says; this goes before, and waits for the end.
        let name = signal.trim_start_matches("SIG");
        let script = format!("kill -{name} 1; while kill -0 1; do sleep 1; done");
        container["lifecycle"] = json!({ "preStop": { "exec": { "command": ["sh", "-c", script] } } });
    }
    container["resources"] = resources(service);
    json!({
        "hostname": dns(&service.name),
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": fixed.stop_timeout,
        "securityContext": {
            "runAsNonRoot": uid != 0,
            "runAsUser": uid,
            "runAsGroup": gid,
            "fsGroup": gid,
            // Else a database's folder would be opened to its group at each start.
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "containers": [container],
        "volumes": volumes,
    })
}

/// The cluster replaces `$(NAME)`; we mean what is written.
fn escaped(text: &str) -> String {
    text.replace("$(", "$$(")
}

fn resources(service: &Service) -> Value {
    let limits = &service.limits;
    let mut most = Map::new();
    let mut least = Map::new();
    if limits.memory > 0 {
        most.insert("memory".to_owned(), json!(limits.memory.to_string()));
        // Without a word the cluster would set all of the limit aside.
        least.insert("memory".to_owned(), json!(limits.memory_reservation.to_string()));
    }
    if limits.memory_reservation > 0 {
        least.insert("memory".to_owned(), json!(limits.memory_reservation.to_string()));
    }
    if limits.nano_cpus > 0 {
        most.insert("cpu".to_owned(), json!(cpus(limits.nano_cpus)));
    }
    // What is asked for becomes the weight, so that a thousandth of a CPU for each point keeps the proportion.
    let weight = if limits.cpu_weight == 0 { 100 } else { limits.cpu_weight };
    let ceiling = if limits.nano_cpus == 0 { u64::MAX } else { limits.nano_cpus / 1_000_000 };
    least.insert("cpu".to_owned(), json!(format!("{}m", weight.min(ceiling).max(1))));
    let mut out = json!({ "requests": least });
    if !most.is_empty() {
        out["limits"] = most.into();
    }
    out
}

fn mounts(service: &Service, is_claimed: &dyn Fn(&str) -> bool) -> (Vec<Value>, Vec<Value>) {
    let fixed = &service.fixed;
    let (mut volumes, mut mounts) = (Vec::new(), Vec::new());
    for (at, volume) in fixed.volumes.iter().enumerate() {
        let name = if volume.is_named() { dns(&volume.source) } else { format!("host-{at}") };
        if !volume.is_named() {
            volumes.push(json!({ "name": name, "hostPath": { "path": volume.source } }));
        } else if !is_claimed(&volume.source) {
            volumes.push(json!({ "name": name, "persistentVolumeClaim": { "claimName": name } }));
        }
        mounts.push(json!({ "name": name, "mountPath": volume.target, "readOnly": volume.read_only }));
    }
    let folders = fixed.tmpfs.iter().map(|folder| (folder.target.as_str(), folder.size.0));
    for (at, (target, size)) in folders.chain([("/dev/shm", fixed.shm_size)]).enumerate() {
        let name = format!("memory-{at}");
        volumes
            .push(json!({ "name": name, "emptyDir": { "medium": "Memory", "sizeLimit": size.to_string() } }));
        mounts.push(json!({ "name": name, "mountPath": target }));
    }
    if !fixed.secrets.is_empty() {
        let sources: Vec<Value> = fixed
            .secrets
            .iter()
            .map(|name| json!({ "secret": { "name": dns(name), "items": [{ "key": name, "path": name }] } }))
            .collect();
        // Root's and the group's, which is the container's own.
        volumes.push(json!({ "name": "secrets", "projected": { "defaultMode": 0o440, "sources": sources } }));
        mounts.push(json!({ "name": "secrets", "mountPath": "/run/secrets", "readOnly": true }));
    }
    (volumes, mounts)
}

/// What manifests have no words for, and what has to be there before.
pub(super) fn told(deployment: &Deployment, notes: &mut Notes) {
    let names = |is: &dyn Fn(&Service) -> bool| Notes::names(deployment, is);
    let space = dns(&deployment.name);
    let commands: Vec<String> = deployment
        .secrets
        .iter()
        .map(|name| {
            let (key, secret) = (name, dns(name));
            format!("head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n' | kubectl -n {space} create secret generic {secret} --from-file={key}=/dev/stdin")
        })
        .collect();
    notes.some(commands, |all| {
        t!("secrets are made after the namespace, and before the rest: {commands}", commands = all)
    });
    notes.general(t!(
        "network policies hold only where the cluster's network keeps them (Calico, Cilium, k3s); others let everything pass"
    ));
    if deployment.networks.iter().all(|network| !network.masquerade) {
        notes.general(t!(
            "names are asked of the cluster's own server, which may ask outside in their place: take `forward` out of its Corefile, where no pod needs a name outside"
        ));
    }
    match level(deployment) {
        "restricted" => {}
        level => notes.general(t!(
            "the namespace holds the Pod Security Standard {level}, and not restricted: a service runs as root, keeps a capability, or sees a folder of the host",
            level = level
        )),
    }
    notes.general(t!(
        "the order of start is not kept: a service that needs another one ends and is started again until that one works"
    ));
    notes.general(t!("there is no init process in a pod: what a service leaves behind is not collected"));
    notes.general(t!("a folder in memory can't be mounted noexec, and counts against the limit"));
    let scores: Vec<String> = deployment
        .services
        .iter()
        .filter(|s| s.fixed.oom_score_adj != 0)
        .map(|s| format!("{} {}", s.name, s.fixed.oom_score_adj))
        .collect();
    notes.some(scores, |all| {
        t!(
            "oom_score_adj can't be written ({all}): the cluster reckons it from requests and limits",
            all = all
        )
    });
    notes.some(names(&|s| s.limits.memory > 0), |all| {
        t!("memory_swap can't be written for {all}: the kubelet's memorySwap says it for all pods", all = all)
    });
    notes.some(names(&|s| s.limits.pids > 0), |all| {
        t!("pids can't be written for {all}: the kubelet's podPidsLimit says it for all pods", all = all)
    });
    notes
        .some(names(&|s| s.fixed.nofile.is_some()), |all| t!("nofile can't be written for {all}", all = all));
    notes.some(names(&|s| s.fixed.memlock), |all| t!("memlock can't be written for {all}", all = all));
    notes.some(names(&|s| ["no", "on-failure"].contains(&s.limits.restart.as_str())), |all| {
        t!("{all} is started again whenever it ends: a Deployment knows nothing else", all = all)
    });
    let local =
        |service: &Service| service.image.as_deref().is_some_and(|image| image.starts_with("sha256:"));
    notes.some(names(&local), |all| {
        t!("the image of {all} is an id of one host: name it as a registry has it", all = all)
    });
    let mut made: Vec<String> = deployment.services.iter().filter_map(|s| s.image.clone()).collect();
    made.retain(|image| image.starts_with("civicum/"));
    made.sort();
    made.dedup();
    notes.some(made, |all| {
        t!("{all} must be on each node: docker save, and there: ctr -n k8s.io images import FILE", all = all)
    });
    let renamed = deployment.services.iter().filter(|s| dns(&s.name) != s.name).map(|s| s.name.clone());
    notes.some(renamed, |all| t!("a name has no `_` here: {all} is found with `-` in its place", all = all));
}
