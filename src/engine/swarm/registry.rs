//! Images by way of a registry that both sides reach: pushed by the manager's engine, pulled by the node's. The names that
//! they have there are taken away again on both.

use super::super::address::Environment;
use super::super::images::PATIENCE;
use super::super::{Engine, sentence};
use crate::wire::exit::{Exit, Failure};
use anyhow::Result;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bollard::auth::DockerCredentials;
use bollard::query_parameters::{
    CreateImageOptionsBuilder, PushImageOptionsBuilder, RemoveImageOptions, TagImageOptionsBuilder,
};
use futures_util::{Stream, StreamExt};
use serde_json::Value;
use std::fmt;

/// A registry, and a path in it.
#[derive(Clone)]
pub(super) struct Registry {
    /// `registry.example:5000/team`
    address: String,
    /// What `docker login` left, where it left it in its own file.
    credentials: Option<DockerCredentials>,
}

/// Without the password.
impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registry({})", self.address)
    }
}

impl Registry {
    pub(super) fn at(address: &str) -> Result<Self, Failure> {
        Self::with(address, &Environment::read().config())
    }

    fn with(address: &str, config: &Value) -> Result<Self, Failure> {
        let address = address.trim_end_matches('/');
        let host = host(address);
        // What has neither would be a name on the public hub.
        if address.contains("://") || !(host.contains(['.', ':']) || host == "localhost") {
            return Err(Failure::new(
                Exit::Usage,
                format!(
                    "{address} is no address of a registry: write its host, and a path if need be, as registry.example:5000/team"
                ),
            ));
        }
        Ok(Self { address: address.into(), credentials: credentials(host, config) })
    }

    fn name(&self, role: &str) -> String {
        format!("{}/ingest-lab-{role}", self.address)
    }

    fn failed(&self, what: &str, role: &str, error: &bollard::errors::Error) -> Failure {
        let host = host(&self.address);
        let message = format!(
            "the container engine did not {what} the image {role}, registry {}: {}. Log in with `docker login {host}`, correct \
             --node-registry, or leave it out: images then come through the lab",
            self.address,
            sentence(error).trim_end_matches('.')
        );
        Failure::new(Exit::Engine, message)
    }
}

/// The registry's host in its address.
fn host(address: &str) -> &str {
    address.split('/').next().unwrap_or_default()
}

/// What the engine's command line keeps of a login: user and password, or the token of a single sign-on. Those that a
/// helper keeps are not read.
fn credentials(host: &str, config: &Value) -> Option<DockerCredentials> {
    let kept = &config["auths"][host];
    let decoded = BASE64_STANDARD.decode(kept["auth"].as_str()?).ok()?;
    let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let token = kept["identitytoken"].as_str().map(str::to_owned);
    Some(DockerCredentials {
        username: Some(user.into()),
        password: Some(password.into()),
        identitytoken: token,
        serveraddress: Some(host.into()),
        ..DockerCredentials::default()
    })
}

impl Engine {
    /// Hands an image of the project to a registry, under the tag that it has here.
    pub(super) async fn push(&self, registry: &Registry, role: &str, tag: &str) -> Result<()> {
        let name = registry.name(role);
        let failed = |error| registry.failed("push", role, &error);
        let named = TagImageOptionsBuilder::default().repo(&name).tag(tag).build();
        self.docker.tag_image(&format!("ingest-lab-{role}:{tag}"), Some(named)).await.map_err(failed)?;
        let docker = self.docker.clone().with_timeout(PATIENCE);
        let options = PushImageOptionsBuilder::default().tag(tag).build();
        let pushed = to_the_end(docker.push_image(&name, Some(options), registry.credentials.clone())).await;
        self.forget(&name, tag).await;
        Ok(pushed.map_err(failed)?)
    }

    /// Gets it from there, under the name that it has in the project.
    pub(super) async fn pull(&self, registry: &Registry, role: &str, tag: &str) -> Result<()> {
        let name = registry.name(role);
        let failed = |error| registry.failed("pull", role, &error);
        let docker = self.docker.clone().with_timeout(PATIENCE);
        let options = CreateImageOptionsBuilder::default().from_image(&name).tag(tag).build();
        let pulled = to_the_end(docker.create_image(Some(options), None, registry.credentials.clone())).await;
        pulled.map_err(failed)?;
        let named = TagImageOptionsBuilder::default().repo(&format!("ingest-lab-{role}")).tag(tag).build();
        let named = self.docker.tag_image(&format!("{name}:{tag}"), Some(named)).await;
        self.forget(&name, tag).await;
        Ok(named.map_err(failed)?)
    }

    /// Takes the registry's name from an image that has another one. Where that fails, a name is left.
    async fn forget(&self, name: &str, tag: &str) {
        let removed = self.docker.remove_image(&format!("{name}:{tag}"), None::<RemoveImageOptions>, None).await;
        if let Err(error) = removed {
            tracing::warn!(name, tag, error = %sentence(&error), "the registry's name of an image stays");
        }
    }
}

/// Follows what an engine says of a transfer to its end.
async fn to_the_end<T>(
    said: impl Stream<Item = Result<T, bollard::errors::Error>>,
) -> Result<(), bollard::errors::Error> {
    let mut said = std::pin::pin!(said);
    while let Some(word) = said.next().await {
        word?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_login_is_found_by_the_registry_s_host() {
        // printf 'ada:pass:word' | base64
        let config = json!({ "auths": { "registry.example:5000": { "auth": "YWRhOnBhc3M6d29yZA==" } } });
        let registry = Registry::with("registry.example:5000/team/", &config).unwrap();
        assert_eq!(registry.name("db"), "registry.example:5000/team/ingest-lab-db");
        let login = registry.credentials.unwrap();
        assert_eq!((login.username.as_deref(), login.password.as_deref()), (Some("ada"), Some("pass:word")));
        assert_eq!(Registry::with("other.example", &config).unwrap().credentials, None);
        assert_eq!(Registry::with("localhost/x", &json!(null)).unwrap().credentials, None);
    }

    #[test]
    fn what_would_be_a_name_on_a_public_registry_is_no_address() {
        for wrong in ["team", "team/images", "https://registry.example"] {
            let said = Registry::with(wrong, &json!(null)).unwrap_err().message;
            assert!(said.contains("is no address of a registry"), "{said}");
        }
    }
}
