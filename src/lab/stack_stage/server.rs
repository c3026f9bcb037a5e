//! The databases of a stack: the one on a volume that `make up` starts, and the one in memory, which is created
//! with the stack and started by the lab for the cells that ask for it.

use super::{PATIENCE, StackStage, reach};
use crate::db;
use crate::engine::{Container, Healthy, Stack};
use crate::model::Storage;
use crate::wire::DbUrl;
use anyhow::Result;
use tokio_postgres::Client;

/// A database with the lab's connections to it, which nothing slows down.
#[derive(Debug)]
pub(super) struct Server {
    storage: Storage,
    pub container: Container,
    /// The id of the image it runs.
    pub image: String,
    pub url: DbUrl,
    pub password: String,
    /// Who signed its certificate, PEM; none where it has none.
    pub authority: Option<String>,
    pub control: Client,
    /// More connections of the lab's own, for spins on several processors.
    pub spinners: Vec<Client>,
}

impl Server {
    pub(super) async fn connect(stack: &Stack, storage: Storage, healthy: &Healthy) -> Result<Self> {
        let (url, password) = reach::control_url(stack, healthy).await?;
        let control = db::connect(&url).await?;
        let authority = reach::authority(stack, healthy).await?;
        let (container, image) = (healthy.container().clone(), healthy.image().to_owned());
        Ok(Self { storage, container, image, url, password, authority, control, spinners: Vec::new() })
    }

    /// How it keeps its files.
    pub(super) fn storage(&self) -> Storage {
        self.storage
    }

    /// Every connection of the lab's own.
    pub(super) fn clients(&self) -> impl Iterator<Item = &Client> {
        std::iter::once(&self.control).chain(&self.spinners)
    }

    /// Where the link passes connections on to.
    pub(super) fn target(&self) -> &'static str {
        target(self.storage)
    }
}

/// Its service in the compose file.
pub(super) fn service(storage: Storage) -> &'static str {
    match storage {
        Storage::Volume => "db",
        Storage::Tmpfs => "db-tmpfs",
    }
}

pub(super) fn target(storage: Storage) -> &'static str {
    match storage {
        Storage::Volume => "db:5432",
        Storage::Tmpfs => "db-tmpfs:5432",
    }
}

impl StackStage {
    /// The database that the current cell uses.
    pub(super) fn server(&self) -> &Server {
        &self.servers[self.at]
    }

    pub(super) fn server_mut(&mut self) -> &mut Server {
        &mut self.servers[self.at]
    }

    /// The lab's own connections to the current database anew: where it is the one that is always there, the stack's lock
    /// with them.
    pub(super) async fn connect_again(&mut self, healthy: &Healthy) -> Result<()> {
        let server = Server::connect(&self.stack, self.server().storage, healthy).await?;
        if self.at == 0 {
            db::lock(&server.control).await?;
        }
        *self.server_mut() = server;
        Ok(())
    }

    /// Ends the database in memory: the next cell that asks for it gets a new one.
    pub(super) async fn renew_memory(&mut self) -> Result<()> {
        self.at = 0;
        self.servers.retain(|server| server.storage != Storage::Tmpfs);
        let container = self.stack.find(service(Storage::Tmpfs)).await?;
        // The link says nothing of itself where the database it leads to is away.
        self.ask_link(&["point", target(Storage::Volume)]).await?;
        self.stack.stop_service(&container).await.map(drop)
    }

    /// Turns to the database that keeps its files so, and points the link there. Starts it where it isn't running,
    /// with tables of its own.
    pub(super) async fn use_storage(&mut self, storage: Storage) -> Result<()> {
        self.at = match self.servers.iter().position(|server| server.storage == storage) {
            Some(at) => at,
            None => {
                let container = self.stack.find(service(storage)).await?;
                self.stack.start_service(&container).await?;
                let healthy = self.stack.healthy(service(storage), PATIENCE).await?;
                let mut server = Server::connect(&self.stack, storage, &healthy).await?;
                db::rebuild(&mut server.control).await?;
                self.servers.push(server);
                self.servers.len() - 1
            }
        };
        if self.link_status().await?.target != self.server().target() {
            self.ask_link(&["point", self.server().target()]).await?;
        }
        Ok(())
    }
}
