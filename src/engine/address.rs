//! Where an engine is, and what shows it who asks: an address, or the name of a context, as the engine's own command line
//! keeps it, with its address and certificates.

use super::{DEFAULT_ADDRESS, TIMEOUT};
use crate::model::hex;
use crate::wire::exit::{Exit, Failure};
use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, Docker};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// What the name of a context stands behind.
const CONTEXT: &str = "context:";

/// The context that is none: `DOCKER_HOST`, or the engine at the usual place.
const NO_CONTEXT: &str = "default";

/// What a folder of certificates holds, by the names that engines' tools give them: who may sign for the engine, and who
/// asks, with its key.
const CERTIFICATES: [&str; 3] = ["ca.pem", "cert.pem", "key.pem"];

/// Where an engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// As people gave it: what they find again.
    pub text: String,
    host: String,
    /// The folder of certificates, where the way there is TLS.
    certificates: Option<PathBuf>,
}

/// What the engine's own command line reads besides its arguments.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    host: Option<String>,
    context: Option<String>,
    /// Where certificates are for `host`, if TLS is asked for.
    certificates: Option<PathBuf>,
    /// Its folder, `~/.docker`.
    folder: PathBuf,
}

impl Environment {
    pub(super) fn read() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let home = std::env::home_dir().unwrap_or_default();
        let folder = set("DOCKER_CONFIG").map_or_else(|| home.join(".docker"), PathBuf::from);
        let certificates =
            set("DOCKER_TLS_VERIFY").map(|_| set("DOCKER_CERT_PATH").map_or_else(|| folder.clone(), PathBuf::from));
        Self { host: set("DOCKER_HOST"), context: set("DOCKER_CONTEXT"), certificates, folder }
    }

    /// The folder's `config.json`; null where there is none that can be read.
    pub(super) fn config(&self) -> Value {
        let text = fs_err::read_to_string(self.folder.join("config.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The context that holds where no address is given.
    fn current(&self) -> Option<String> {
        let kept = || self.config()["currentContext"].as_str().map(str::to_owned);
        self.context.clone().or_else(kept).filter(|name| name != NO_CONTEXT && !name.is_empty())
    }
}

impl Address {
    /// Of the engine that is spoken to: `DOCKER_HOST`, else the current context's, else the usual place.
    pub(super) fn own(environment: &Environment) -> Result<Self, Failure> {
        match environment.current().filter(|_| environment.host.is_none()) {
            Some(name) => Self::of_context(&name, environment),
            None => Self::of_no_context(environment),
        }
    }

    fn of_no_context(environment: &Environment) -> Result<Self, Failure> {
        let host = environment.host.as_deref().unwrap_or(DEFAULT_ADDRESS);
        Self::plain(host, environment.certificates.as_deref())
    }

    /// Of a node's engine, as `unix:///run/other.sock`, `tcp://host:2376` or `context:name`. The certificates are for
    /// `tcp://`.
    pub(super) fn of_node(text: &str, certificates: Option<&Path>, environment: &Environment) -> Result<Self, Failure> {
        match text.strip_prefix(CONTEXT) {
            Some(NO_CONTEXT) => Self::of_no_context(environment),
            Some(name) => Self::of_context(name, environment),
            None => Self::plain(text, certificates),
        }
    }

    fn plain(text: &str, certificates: Option<&Path>) -> Result<Self, Failure> {
        if let Some(user_and_host) = text.strip_prefix("ssh://") {
            return Err(refuse(format!(
                "the lab does not speak ssh to the container engine at {text}: forward its socket (`ssh -fNL \
                 /tmp/other.sock:/var/run/docker.sock {user_and_host}`) and name that, unix:///tmp/other.sock"
            )));
        }
        let is_tcp = ["tcp://", "http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
        let certificates = certificates.filter(|_| is_tcp).map(Path::to_path_buf);
        if let Some(folder) = &certificates {
            whole(folder)?;
        }
        Ok(Self { text: text.into(), host: text.into(), certificates })
    }

    /// A context is a file named by the hash of its name, and its certificates are in a folder of that name.
    fn of_context(name: &str, environment: &Environment) -> Result<Self, Failure> {
        let id = hex(&Sha256::digest(name.as_bytes()));
        let contexts = environment.folder.join("contexts");
        let text = fs_err::read_to_string(contexts.join("meta").join(&id).join("meta.json")).unwrap_or_default();
        let meta: Value = serde_json::from_str(&text).unwrap_or_default();
        let host = meta["Endpoints"]["docker"]["Host"].as_str().ok_or_else(|| {
            refuse(format!(
                "there is no context {name} with the address of a container engine: `docker context ls` shows what there is, \
                 `docker context create {name} --docker host=…` makes one"
            ))
        })?;
        let folder = contexts.join("tls").join(&id).join("docker");
        let found = Self::plain(host, folder.is_dir().then_some(folder.as_path()))?;
        Ok(Self { text: format!("{CONTEXT}{name}"), ..found })
    }

    /// Ready to be asked; nothing is asked yet.
    pub(super) fn open(&self) -> Result<Docker, Error> {
        let (host, seconds) = (&self.host, TIMEOUT.as_secs());
        match &self.certificates {
            Some(folder) => {
                let [ca, certificate, key] = CERTIFICATES.map(|name| folder.join(name));
                Docker::connect_with_ssl(host, &key, &certificate, &ca, seconds, API_DEFAULT_VERSION)
            }
            // By its library's own reading of the environment every address would be TLS where one is.
            None if host.starts_with("tcp://") || host.starts_with("http://") => {
                Docker::connect_with_http(host, seconds, API_DEFAULT_VERSION)
            }
            None => Docker::connect_with_host(host),
        }
    }
}

/// That a folder of certificates has all of them: a missing one would be told as a failed handshake.
fn whole(folder: &Path) -> Result<(), Failure> {
    match CERTIFICATES.iter().find(|name| !folder.join(name).is_file()) {
        None => Ok(()),
        Some(name) => Err(refuse(format!(
            "there is no {name} in {}: TLS to a container engine wants ca.pem, cert.pem and key.pem there",
            folder.display()
        ))),
    }
}

fn refuse(message: String) -> Failure {
    Failure::new(Exit::Engine, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of the engine's command line with one context, `bob`.
    fn with_bob(host: &str, certificates: &[&str]) -> (tempfile::TempDir, Environment) {
        let folder = tempfile::tempdir().unwrap();
        // As `printf bob | sha256sum` says.
        let id = "81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9";
        let (meta, tls) = (format!("contexts/meta/{id}"), format!("contexts/tls/{id}/docker"));
        let [meta, tls] = [meta, tls].map(|path| folder.path().join(path));
        fs_err::create_dir_all(&meta).unwrap();
        let text = serde_json::json!({ "Name": "bob", "Endpoints": { "docker": { "Host": host } } }).to_string();
        fs_err::write(meta.join("meta.json"), text).unwrap();
        for name in certificates {
            fs_err::create_dir_all(&tls).unwrap();
            fs_err::write(tls.join(name), "").unwrap();
        }
        let environment = Environment { folder: folder.path().into(), ..Environment::default() };
        (folder, environment)
    }

    #[test]
    fn a_context_is_an_address_and_certificates_and_is_told_by_its_name() {
        let (folder, environment) = with_bob("tcp://192.0.2.7:2376", &CERTIFICATES);
        let bob = Address::of_node("context:bob", None, &environment).unwrap();
        assert_eq!((bob.text.as_str(), bob.host.as_str()), ("context:bob", "tcp://192.0.2.7:2376"));
        assert!(bob.certificates.unwrap().starts_with(folder.path().join("contexts/tls")));
        let (_folder, environment) = with_bob("unix:///run/bob.sock", &[]);
        let bob = Address::of_node("context:bob", Some(Path::new("/elsewhere")), &environment).unwrap();
        assert_eq!((bob.host.as_str(), bob.certificates), ("unix:///run/bob.sock", None));
        let none = Address::of_node("context:default", None, &environment).unwrap();
        assert_eq!((none.host.as_str(), none.certificates), (DEFAULT_ADDRESS, None));
        let said = Address::of_node("context:eve", None, &environment).unwrap_err().message;
        assert!(said.starts_with("there is no context eve ") && said.contains("docker context create eve"), "{said}");
    }

    #[test]
    fn the_engine_spoken_to_is_the_given_address_before_the_context_before_the_usual_place() {
        let (folder, mut environment) = with_bob("unix:///run/bob.sock", &[]);
        let host = |environment: &Environment| Address::own(environment).unwrap().host;
        assert_eq!(host(&environment), DEFAULT_ADDRESS);
        fs_err::write(folder.path().join("config.json"), r#"{ "currentContext": "bob" }"#).unwrap();
        assert_eq!(host(&environment), "unix:///run/bob.sock");
        environment.context = Some(NO_CONTEXT.into());
        assert_eq!(host(&environment), DEFAULT_ADDRESS);
        environment.host = Some("tcp://192.0.2.7:2375".into());
        assert_eq!(host(&environment), "tcp://192.0.2.7:2375");
    }

    #[test]
    fn certificates_are_for_tcp_and_have_to_be_whole_and_ssh_is_refused_with_what_to_do() {
        let (folder, environment) = with_bob("tcp://192.0.2.7:2376", &["ca.pem"]);
        let said = Address::of_node("context:bob", None, &environment).unwrap_err().message;
        assert!(said.contains("there is no cert.pem in "), "{said}");
        let socket = Address::of_node("unix:///run/a.sock", Some(folder.path()), &environment).unwrap();
        assert_eq!(socket.certificates, None);
        let said = Address::of_node("ssh://ada@bob", None, &environment).unwrap_err().message;
        assert!(said.contains("ssh -fNL /tmp/other.sock:/var/run/docker.sock ada@bob"), "{said}");
    }
}
