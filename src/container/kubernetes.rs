//! The same deployment as Kubernetes manifests.

use serde_json::{Map, Value, json};

use super::desired::{Deployment, Service};
use super::kubernetes_pod::{self as pod, HERE, PART_OF};
use super::notes::{Notes, is_public};
use super::role::Role;
use crate::profile::container::Protocol;
use crate::profile::mount::Volume;
use crate::t;

/// The room that a claim asks for, since a profile does not say how large a volume may get.
const CLAIM: &str = "10Gi";

/// The manifests in the order in which they are made, and what they can't say.
pub fn documents(deployment: &Deployment) -> (Vec<Value>, Vec<String>) {
    let mut notes = Notes::default();
    let mut out = vec![namespace(deployment)];
    out.extend(policies(deployment));
    let claims = deployment.volumes.iter().filter(|volume| owner(deployment, volume).is_none());
    out.extend(claims.map(|volume| {
        let mut claim = claim(volume);
        claim["apiVersion"] = json!("v1");
        claim["kind"] = json!("PersistentVolumeClaim");
        claim["metadata"] = meta(deployment, &dns(volume), None);
        claim
    }));
    for service in &deployment.services {
        out.push(inner(deployment, service));
        out.extend(outer(deployment, service, &mut notes));
        out.push(workload(deployment, service));
    }
    pod::told(deployment, &mut notes);
    if !deployment.volumes.is_empty() {
        notes.general(t!(
            "a profile does not say how large a volume may get: each claim asks for {size}; write what is right",
            size = CLAIM
        ));
    }
    (out, notes.sentences())
}

/// A name as the cluster takes it: no underscore, and no dash at its end.
pub(super) fn dns(name: &str) -> String {
    name.replace('_', "-").trim_end_matches('-').to_owned()
}

fn meta(deployment: &Deployment, name: &str, service: Option<&Service>) -> Value {
    let mut labels = Map::from_iter([
        (PART_OF.to_owned(), json!(deployment.name)),
        ("app.kubernetes.io/managed-by".to_owned(), json!("civicum-tune")),
    ]);
    if let Some(service) = service {
        labels.insert(HERE.to_owned(), json!(service.name));
    }
    json!({ "name": name, "namespace": dns(&deployment.name), "labels": labels })
}

fn namespace(deployment: &Deployment) -> Value {
    let level = pod::level(deployment);
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": dns(&deployment.name),
            "labels": {
                PART_OF: deployment.name,
                "pod-security.kubernetes.io/enforce": level,
                "pod-security.kubernetes.io/warn": level,
            },
        },
    })
}

/// Nothing comes in or goes out but from one of the deployment's to another, and questions for names.
fn policies(deployment: &Deployment) -> Vec<Value> {
    let peers = json!([{ "podSelector": { "matchLabels": { PART_OF: deployment.name } } }]);
    let names = json!({
        "to": [{
            "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "kube-system" } },
            "podSelector": { "matchLabels": { "k8s-app": "kube-dns" } },
        }],
        "ports": [{ "protocol": "UDP", "port": 53 }, { "protocol": "TCP", "port": 53 }],
    });
    let policy = |name: &str, spec: Value| {
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": meta(deployment, name, None),
            "spec": spec,
        })
    };
    // With `sovereignty.egress` the network is an ordinary one, as it is with Docker.
    let egress = deployment.networks.iter().any(|network| network.masquerade);
    let out = if egress { json!([{}]) } else { json!([{ "to": peers }, names]) };
    let mut all = vec![
        policy("deny-all", json!({ "podSelector": {}, "policyTypes": ["Ingress", "Egress"] })),
        policy(
            "peers",
            json!({
                "podSelector": { "matchLabels": { PART_OF: deployment.name } },
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{ "from": peers }],
                "egress": out,
            }),
        ),
    ];
    for service in &deployment.services {
        let open: Vec<Value> = public(service)
            .map(|publish| json!({ "protocol": protocol(publish.protocol), "port": publish.port }))
            .collect();
        if !open.is_empty() {
            all.push(policy(
                &format!("door-{}", dns(&service.name)),
                json!({
                    "podSelector": { "matchLabels": selector(deployment, service) },
                    "policyTypes": ["Ingress"],
                    "ingress": [{ "ports": open }],
                }),
            ));
        }
    }
    all
}

fn public(service: &Service) -> impl Iterator<Item = &crate::profile::container::Publish> {
    service.fixed.publish.iter().filter(|publish| is_public(publish.address))
}

const fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    }
}

fn selector(deployment: &Deployment, service: &Service) -> Value {
    json!({ PART_OF: deployment.name, HERE: service.name })
}

/// How the others find it. One of which nobody knows the port is found by its address alone.
fn inner(deployment: &Deployment, service: &Service) -> Value {
    let mut ports: Vec<(Protocol, u16)> =
        service.role.port().map(|port| (Protocol::Tcp, port)).into_iter().collect();
    ports.extend(service.fixed.publish.iter().map(|publish| (publish.protocol, publish.port)));
    ports.sort_unstable();
    ports.dedup();
    let mut spec = json!({ "type": "ClusterIP", "selector": selector(deployment, service) });
    if ports.is_empty() {
        spec["clusterIP"] = json!("None");
    } else {
        spec["ports"] = ports
            .iter()
            .map(|(kind, port)| {
                let name = format!("{}-{port}", protocol(*kind).to_lowercase());
                json!({ "name": name, "port": port, "targetPort": port, "protocol": protocol(*kind) })
            })
            .collect();
    }
    json!({ "apiVersion": "v1", "kind": "Service", "metadata": meta(deployment, &dns(&service.name), Some(service)), "spec": spec })
}

/// How the outside finds it.
fn outer(deployment: &Deployment, service: &Service, notes: &mut Notes) -> Option<Value> {
    for publish in service.fixed.publish.iter().filter(|publish| !is_public(publish.address)) {
        notes.about(service, publish, |all| {
            t!(
                "not published: {all}: that is one address of one host; from there: kubectl port-forward",
                all = all
            )
        });
    }
    let ports: Vec<Value> = public(service)
        .map(|publish| {
            let kind = protocol(publish.protocol);
            json!({
                "name": format!("{}-{}", kind.to_lowercase(), publish.host_port),
                "port": publish.host_port,
                "targetPort": publish.port,
                "protocol": kind,
            })
        })
        .collect();
    (!ports.is_empty()).then(|| {
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta(deployment, &format!("{}-door", dns(&service.name)), Some(service)),
            "spec": {
                "type": "LoadBalancer",
                // The caller's address stays the caller's.
                "externalTrafficPolicy": "Local",
                "selector": selector(deployment, service),
                "ports": ports,
            },
        })
    })
}

/// The database whose own a volume is; one that others see too is nobody's own.
fn owner<'d>(deployment: &'d Deployment, volume: &str) -> Option<&'d Service> {
    let mut users = deployment.services.iter().filter(|s| s.fixed.volumes.iter().any(|v| v.source == volume));
    let first = users.next()?;
    (first.role == Role::Postgres && users.next().is_none()).then_some(first)
}

fn claim(volume: &str) -> Value {
    json!({
        "metadata": { "name": dns(volume) },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": CLAIM } } },
    })
}

/// A `StatefulSet` for a database, a Deployment for all others: one of it, and never two side by side.
fn workload(deployment: &Deployment, service: &Service) -> Value {
    let is_own = |volume: &&Volume| volume.is_named() && owner(deployment, &volume.source).is_some();
    let own: Vec<Value> = service.fixed.volumes.iter().filter(is_own).map(|v| claim(&v.source)).collect();
    let name = dns(&service.name);
    let template = json!({
        "metadata": { "labels": selector(deployment, service) },
        "spec": pod::spec(service, &|volume| owner(deployment, volume).is_some()),
    });
    let mut spec = json!({
        "replicas": 1,
        "selector": { "matchLabels": selector(deployment, service) },
        "template": template,
    });
    let is_database = service.role == Role::Postgres;
    if is_database {
        spec["serviceName"] = json!(name);
        if !own.is_empty() {
            spec["volumeClaimTemplates"] = own.into();
        }
    } else {
        spec["strategy"] = json!({ "type": "Recreate" });
        spec["progressDeadlineSeconds"] = json!(deployment.deadline_ms.div_ceil(1000).max(2));
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": if is_database { "StatefulSet" } else { "Deployment" },
        "metadata": meta(deployment, &name, Some(service)),
        "spec": spec,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::notes::tests::deployment;

    fn find<'d>(documents: &'d [Value], kind: &str, name: &str) -> &'d Value {
        let is = |document: &&Value| document["kind"] == kind && document["metadata"]["name"] == name;
        documents.iter().find(is).unwrap_or_else(|| panic!("there is no {kind} {name}"))
    }

    #[test]
    fn nobody_gets_out_and_only_the_door_lets_in() {
        let (documents, _) = documents(&deployment());
        let all = find(&documents, "NetworkPolicy", "deny-all");
        assert_eq!(all["spec"], json!({ "podSelector": {}, "policyTypes": ["Ingress", "Egress"] }));
        let peers = &find(&documents, "NetworkPolicy", "peers")["spec"];
        assert_eq!(peers["egress"][0]["to"][0]["podSelector"]["matchLabels"][PART_OF], "town");
        assert_eq!(peers["egress"].as_array().unwrap().len(), 2, "and names");
        let door = &find(&documents, "NetworkPolicy", "door-proxy")["spec"];
        assert_eq!(door["ingress"][0]["ports"], json!([{ "protocol": "TCP", "port": 8080 }]));
        let open: Vec<_> = documents.iter().filter(|d| d["spec"]["type"] == "LoadBalancer").collect();
        assert_eq!(open.len(), 1);
        assert_eq!(open[0]["spec"]["ports"][0]["port"], 443);
    }

    #[test]
    fn the_database_owns_its_volume() {
        let (documents, notes) = documents(&deployment());
        let database = find(&documents, "StatefulSet", "postgres");
        assert_eq!(database["spec"]["volumeClaimTemplates"][0]["metadata"]["name"], "town-postgres-data");
        let claims: Vec<_> = documents.iter().filter(|d| d["kind"] == "PersistentVolumeClaim").collect();
        assert_eq!(claims.len(), 1, "the other volume is nobody's own");
        assert_eq!(claims[0]["metadata"]["name"], "town-shared-1");
        assert_eq!(find(&documents, "Deployment", "llm")["spec"]["strategy"]["type"], "Recreate");
        assert!(notes.iter().any(|note| note.contains("postgres -500")), "{notes:?}");
    }
}
