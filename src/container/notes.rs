//! What a format for another engine has no words for. It is told, and never left out in silence.

use std::net::IpAddr;

use super::desired::{Deployment, Service};
use crate::profile::container::Publish;

/// A sentence about a port.
type AboutPort = fn(&str) -> String;

/// Sentences, each once.
#[derive(Debug, Default)]
pub(super) struct Notes {
    sentences: Vec<String>,
    ports: Vec<(String, AboutPort)>,
}

impl Notes {
    /// One about all.
    pub(super) fn general(&mut self, sentence: String) {
        self.sentences.push(sentence);
    }

    /// One about those that are named, if there are any.
    pub(super) fn some(
        &mut self,
        names: impl IntoIterator<Item = String>,
        sentence: impl FnOnce(&str) -> String,
    ) {
        let names: Vec<String> = names.into_iter().collect();
        if !names.is_empty() {
            self.sentences.push(sentence(&names.join(", ")));
        }
    }

    /// One about a port; those of one kind come together.
    pub(super) fn about(&mut self, service: &Service, publish: &Publish, sentence: AboutPort) {
        self.ports.push((format!("{} {publish}", service.name), sentence));
    }

    /// The names of services of a kind.
    pub(super) fn names(deployment: &Deployment, is: &dyn Fn(&Service) -> bool) -> Vec<String> {
        deployment.services.iter().filter(|service| is(service)).map(|service| service.name.clone()).collect()
    }

    /// All of them, ports first.
    pub(super) fn sentences(self) -> Vec<String> {
        let ports = self.ports.into_iter().map(|(port, sentence)| sentence(&port));
        ports.chain(self.sentences).collect()
    }
}

/// Is it meant for everybody who reaches the host? One address of several is not.
pub(super) fn is_public(address: IpAddr) -> bool {
    address.is_unspecified()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::profile::Profile;

    /// A town's four services, with all that formats differ in.
    pub(in crate::container) fn deployment() -> Deployment {
        let text = r#"
            name = "town"
            [deployment]
            name = "town"
            [sovereignty]
            public = ["proxy"]
            [services.postgres]
            memory = "1GiB"
            memory_swap = "1GiB"
            memory_reservation = "512MiB"
            cpus = 1.5
            cpu_weight = 200
            oom_score_adj = -500
            pids = 128
            shm_size = "128MiB"
            nofile = 4096
            [services.postgres.settings]
            work_mem = "8MB"
            [services.llm]
            role = "llama-server"
            model = "/srv/model.gguf"
            memory = "4GiB"
            memlock = true
            [services.proxy]
            image = "civicum/proxy"
            memory = "64MiB"
            needs = ["llm"]
            publish = ["0.0.0.0:443:8080", "127.0.0.1:8081:8080"]
            capabilities = ["NET_BIND_SERVICE"]
            [services.proxy.environment]
            PRICE = "$5 is 100 %"
            [services.extra]
            image = "civicum/extra"
            memory = "64MiB"
            restart = "on-failure"
            command = ["sh", "-c", "echo \"$HOME\"; sleep 9"]
            volumes = ["shared_1:/data", "/srv/in:/in:ro"]
        "#;
        let profile = Profile::parse(text, "town.toml").unwrap();
        Deployment::of(&profile.settle(&profile.nominal()).unwrap()).unwrap()
    }
}
