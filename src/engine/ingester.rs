//! One ingester container: made for one run, told its job on standard input, heard on standard output, removed.

use super::answer::{Answer, Ended};
use super::confined::{confined, spoken_to};
use super::data::{MOUNT, mount};
use super::listen::{Hearer, Output};
use super::{Container, DataVolume, Engine, Limits, Network, Stack, label, refused};
use crate::model::Congestion;
use crate::wire::exit::{Exit, Failure};
use crate::wire::{Begin, Job, Line};
use anyhow::{Context, Result};
use bollard::container::AttachContainerResults;
use bollard::models::{ContainerCreateBody, HostConfig, ResourcesUlimits};
use bollard::query_parameters::{InspectContainerOptions, KillContainerOptionsBuilder};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::UnboundedReceiver;

/// Open files allowed: the largest pool, twice (a runtime's own descriptors a thread), and some.
const OPEN_FILES: i64 = 4_096;

/// An ingester reports every few seconds: one that says nothing for so long hangs.
pub(super) const SILENCE: Duration = Duration::from_secs(300);

/// How long an ingester that was asked to stop may take to finish its records.
pub const GRACE: Duration = Duration::from_secs(30);

/// What an ingester container is made of.
#[derive(Debug, Clone)]
pub struct RunSpec {
    /// The series' name, for the label.
    pub series: String,
    /// The run's number, for the label.
    pub run: usize,
    /// Which of several clients of the run it is, from 1, for the label; none where it is the only one.
    pub client: Option<usize>,
    /// The image, by name or id: a Python peer's or anybody's works the same.
    pub image: String,
    /// The network it finds the link on; where its path leads past that, the network of this path.
    pub network: Network,
    /// Which path it is on, for the label; none beside the link.
    pub path: Option<&'static str>,
    /// The data it reads, mounted read-only.
    pub data: DataVolume,
    /// What it may use of the processors.
    pub limits: Limits,
    /// TCP congestion control of its end.
    pub congestion: Congestion,
}

impl RunSpec {
    /// Where the container finds its data: what the job says.
    pub const DATA: &str = MOUNT;
}

/// How a container came to its end.
#[derive(Debug, Clone, Default)]
pub struct Left {
    /// Its exit code; -1 where it had to be removed.
    pub code: i64,
    /// Whether the kernel ended it for want of memory.
    pub out_of_memory: bool,
    /// Set where it had to be removed.
    pub overdue: Option<Overdue>,
}

/// Why an ingester was not waited for any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overdue {
    /// It said nothing for so long that it must hang.
    Silent,
    /// It was asked to stop, and did not.
    Unstoppable,
}

/// An ingester that has started and waits for its job.
pub struct Waiting {
    container: Container,
    output: Output,
    input: Pin<Box<dyn AsyncWrite + Send>>,
}

impl Waiting {
    /// Its container: commands can be run in it beside the ingester.
    pub fn container(&self) -> &Container {
        &self.container
    }
}

impl Stack {
    /// Starts an ingester, which waits for its job. Where it never gets one, [`Stack::sweep`] removes it.
    pub async fn start(&self, spec: &RunSpec) -> Result<Waiting> {
        let engine = self.client(spec.client.unwrap_or(1)).clone();
        let id = engine.create(container(self, spec), "make the ingester's container").await?;
        let started = engine.attach_and_start(&id, "ingester").await;
        let AttachContainerResults { output, input } = started.map_err(|error| congestion_refused(spec, error))?;
        Ok(Waiting { container: Container { id, service: "ingester".into(), engine }, output, input })
    }

    /// Removes an ingester that gets no job.
    pub async fn dismiss(&self, waiting: Waiting) -> Result<()> {
        let container = waiting.container;
        container.engine.remove(&container.id).await
    }

    /// Gives a waiting ingester its job and sees it to its end. `stop` asks it to end in order; `heard` gets every
    /// line as it comes. The container is removed whatever happens.
    pub async fn ingest(
        &self,
        waiting: Waiting,
        job: &Job,
        stop: impl Future<Output = ()>,
        heard: &mut dyn FnMut(&Line),
    ) -> Result<Ended> {
        let job = serde_json::to_vec(job).context("write the job")?;
        let mut answer = Answer::new(heard);
        let left = self.attend(waiting, job, stop, &mut answer).await?;
        answer.end(&left)
    }

    /// The same of one that begins its phases on words: they reach it as they come.
    pub async fn ingest_on_words(
        &self,
        waiting: Waiting,
        job: &Job,
        words: UnboundedReceiver<Begin>,
        stop: impl Future<Output = ()>,
        heard: &mut dyn FnMut(&Line),
    ) -> Result<Ended> {
        let job = serde_json::to_vec(job).context("write the job")?;
        let mut answer = Answer::new(heard);
        let left = self.see_through(waiting, (job, Some(words)), stop, &mut answer).await?;
        answer.end(&left)
    }

    /// As [`Self::ingest`], with a job of any bytes, and an answer that nobody reads but the hearer: an error of its own ends it.
    pub async fn attend(
        &self,
        waiting: Waiting,
        job: Vec<u8>,
        stop: impl Future<Output = ()>,
        hearer: &mut dyn Hearer,
    ) -> Result<Left> {
        self.see_through(waiting, (job, None), stop, hearer).await
    }

    async fn see_through(
        &self,
        waiting: Waiting,
        told: Told,
        stop: impl Future<Output = ()>,
        hearer: &mut dyn Hearer,
    ) -> Result<Left> {
        let Waiting { container, output, input } = waiting;
        let left = container.engine.drive(&container.id, output, input, told, stop, hearer).await;
        let removed = container.engine.remove(&container.id).await;
        let left = left?;
        removed?;
        Ok(left)
    }

    /// Where a run's ingester of this number, from 1 on, runs: those of one run are dealt out to the hosts of clients.
    pub(super) fn client(&self, number: usize) -> &Engine {
        &self.clients[self.client_host(number)]
    }

    /// The same as a number, from 0, of the hosts of clients.
    pub fn client_host(&self, number: usize) -> usize {
        number.saturating_sub(1) % self.clients.len()
    }
}

impl Engine {
    async fn drive(
        &self,
        id: &str,
        output: Output,
        mut input: Pin<Box<dyn AsyncWrite + Send>>,
        (mut job, words): Told,
        stop: impl Future<Output = ()>,
        hearer: &mut dyn Hearer,
    ) -> Result<Left> {
        job.push(b'\n');
        // A peer may die before it has read its job: its own words say more than a broken pipe.
        let told = async {
            input.write_all(&job).await?;
            if words.is_none() { input.shutdown().await } else { input.flush().await }
        };
        if let Err(error) = told.await {
            tracing::debug!(%error, "the ingester did not take its job");
        }
        let heard = tokio::select! {
            heard = self.listen(id, output, stop, hearer) => heard?,
            never = speak(&mut input, words, self.wall_ahead()) => match never {},
        };
        if let Some(overdue) = heard {
            return Ok(Left { code: -1, out_of_memory: false, overdue: Some(overdue) });
        }
        let state = self.docker.inspect_container(id, None::<InspectContainerOptions>).await;
        let state = state.map_err(refused("tell how the ingester ended"))?.state.unwrap_or_default();
        let (code, out_of_memory) = (state.exit_code.unwrap_or(-1), state.oom_killed.unwrap_or(false));
        Ok(Left { code, out_of_memory, overdue: None })
    }

    pub(super) async fn signal(&self, id: &str, signal: &str) -> Result<()> {
        let options = KillContainerOptionsBuilder::default().signal(signal).build();
        match self.docker.kill_container(id, Some(options)).await {
            // It has just ended by itself.
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 409, .. }) | Ok(()) => Ok(()),
            Err(error) => Err(refused("stop the ingester")(error)),
        }
    }
}

/// A job, and words that follow it, if any do.
type Told = (Vec<u8>, Option<UnboundedReceiver<Begin>>);

/// Says words as they come, a line each, and is dropped when nobody need be told any more. Where the ingester doesn't
/// take one, it is for the ingester to say why. They name moments of the lab's wall clock; the ingester's is `ahead` so
/// many seconds.
async fn speak(
    input: &mut Pin<Box<dyn AsyncWrite + Send>>,
    words: Option<UnboundedReceiver<Begin>>,
    ahead: f64,
) -> Infallible {
    if let Some(mut words) = words {
        while let Some(word) = words.recv().await {
            let mut line = serde_json::to_vec(&Begin { at: word.at + ahead, ..word }).unwrap_or_default();
            line.push(b'\n');
            let said = async {
                input.write_all(&line).await?;
                input.flush().await
            };
            if let Err(error) = said.await {
                tracing::debug!(%error, "an ingester did not take the word to begin");
            }
        }
    }
    std::future::pending().await
}

/// Where the kernel has no such congestion control, or keeps it from containers, the engine quotes a file of `/proc`.
fn congestion_refused(spec: &RunSpec, error: anyhow::Error) -> anyhow::Error {
    if !error.to_string().contains("tcp_congestion_control") {
        return error;
    }
    let wanted = spec.congestion;
    let remedy = format!(
        "this kernel gives containers no congestion control {wanted}. On the engine's host: `modprobe tcp_{wanted}`, and \
         add it to net.ipv4.tcp_allowed_congestion_control; or leave `congestion` out of the experiment ({error})"
    );
    Failure::new(Exit::Engine, remedy).into()
}

fn container(stack: &Stack, spec: &RunSpec) -> ContainerCreateBody {
    let mut labels = vec![
        (label::STACK, stack.project.clone()),
        (label::SERIES, spec.series.clone()),
        (label::RUN, spec.run.to_string()),
    ];
    labels.extend(spec.client.map(|client| (label::CLIENT, client.to_string())));
    labels.extend(spec.path.map(|path| (label::PATH, path.to_owned())));
    let files = ResourcesUlimits { name: Some("nofile".into()), soft: Some(OPEN_FILES), hard: Some(OPEN_FILES) };
    let mut host = HostConfig {
        network_mode: Some(spec.network.id.clone()),
        mounts: Some(vec![mount(&spec.data.name, true)]),
        ulimits: Some(vec![files]),
        ..Default::default()
    };
    spec.limits.apply(&mut host);
    if spec.congestion != Congestion::System {
        let setting = ("net.ipv4.tcp_congestion_control".to_owned(), spec.congestion.to_string());
        host.sysctls = Some([setting].into());
    }
    spoken_to(confined(spec.image.clone(), &["run", "--job", "-"], &labels, host))
}
