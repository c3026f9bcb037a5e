//! One ingester container: made for one run, told its job on standard input, heard on standard output, removed.

use super::confined::{confined, spoken_to};
use super::data::{MOUNT, mount};
use super::stack::indent;
use super::{Container, DataVolume, Limits, Network, Stack, label, refused};
use crate::model::Congestion;
use crate::wire::exit::{Exit, Failure};
use crate::wire::reader::LineReader;
use crate::wire::{Event, Job, Line, RunResult};
use anyhow::{Context, Result};
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::models::{ContainerCreateBody, HostConfig, ResourcesUlimits};
use bollard::query_parameters::{InspectContainerOptions, KillContainerOptionsBuilder};
use futures_util::{Stream, StreamExt};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

/// Open files allowed: the largest pool, twice (a runtime's own descriptors a thread), and some.
const OPEN_FILES: i64 = 4_096;

/// An ingester reports every few seconds: one that says nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(300);

/// How long an ingester that was asked to stop may take to finish its records.
const GRACE: Duration = Duration::from_secs(30);

/// Lines of an ingester's standard error that an error quotes.
const COMPLAINTS: usize = 20;

/// What an ingester container is made of.
#[derive(Debug, Clone)]
pub struct RunSpec {
    /// The series' name, for the label.
    pub series: String,
    /// The run's number, for the label.
    pub run: usize,
    /// The image, by name or id: a Python peer's or anybody's works the same.
    pub image: String,
    /// The network it finds the link on.
    pub network: Network,
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

/// How an ingester ended.
#[derive(Debug, Clone, Default)]
pub struct Ended {
    /// Its exit code.
    pub code: i64,
    /// Its result, if it gave one.
    pub result: Option<Box<RunResult>>,
    /// The error it reported, if it did.
    pub failed: Option<String>,
    /// The last lines of its standard error.
    pub complaints: String,
    /// Whether the kernel ended it for want of memory.
    pub out_of_memory: bool,
}

impl Ended {
    /// The result, or why there is none: a sentence and the exit code it leads to.
    pub fn result(self) -> Result<Box<RunResult>, Failure> {
        let exit = u8::try_from(self.code).map_or(Exit::Failure, Exit::of);
        let said = if self.complaints.is_empty() {
            String::new()
        } else {
            format!("; its last words:\n{}", indent(&self.complaints))
        };
        match (self.result, self.failed) {
            (_, Some(error)) => Err(Failure::new(exit, error)),
            (Some(result), None) if self.code == 0 || exit == Exit::Interrupted => Ok(result),
            (Some(_), None) => {
                Err(Failure::new(exit, format!("the ingester gave a result, yet ended with code {}{said}", self.code)))
            }
            (None, None) if self.out_of_memory => Err(Failure::new(
                Exit::Failure,
                "the ingester ran out of memory: give the engine more, or use a smaller pool",
            )),
            (None, None) => Err(Failure::new(
                exit,
                format!("the ingester ended with code {} and without a result{said}", self.code),
            )),
        }
    }
}

/// An ingester that has started and waits for its job.
pub struct Waiting {
    container: Container,
    output: Output,
    input: Pin<Box<dyn AsyncWrite + Send>>,
}

/// What a container says.
type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>;

impl Waiting {
    /// Its container: commands can be run in it beside the ingester.
    pub fn container(&self) -> &Container {
        &self.container
    }
}

impl Stack {
    /// Starts an ingester, which waits for its job. Where it never gets one, [`Stack::sweep`] removes it.
    pub async fn start(&self, spec: &RunSpec) -> Result<Waiting> {
        let id = self.create(container(self, spec), "make the ingester's container").await?;
        let started = self.attach_and_start(&id, "ingester").await;
        let AttachContainerResults { output, input } = started.map_err(|error| congestion_refused(spec, error))?;
        Ok(Waiting { container: Container { id, service: "ingester".into() }, output, input })
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
        let Waiting { container, output, input } = waiting;
        let ended = self.drive(&container.id, output, input, job, stop, heard).await;
        let removed = self.remove(&container.id).await;
        let ended = ended?;
        removed?;
        Ok(ended)
    }

    async fn drive(
        &self,
        id: &str,
        output: Output,
        mut input: Pin<Box<dyn AsyncWrite + Send>>,
        job: &Job,
        stop: impl Future<Output = ()>,
        heard: &mut dyn FnMut(&Line),
    ) -> Result<Ended> {
        let mut job = serde_json::to_vec(job).context("write the job")?;
        job.push(b'\n');
        // A peer may die before it has read its job: its own words say more than a broken pipe.
        let told = async { input.write_all(&job).await.and(input.shutdown().await) }.await;
        if let Err(error) = told {
            tracing::debug!(%error, "the ingester did not take its job");
        }
        let mut ended = self.listen(id, output, stop, heard).await?;
        let state = self.engine.docker.inspect_container(id, None::<InspectContainerOptions>).await;
        let state = state.map_err(refused("tell how the ingester ended"))?.state.unwrap_or_default();
        ended.code = state.exit_code.unwrap_or(-1);
        ended.out_of_memory = state.oom_killed.unwrap_or(false);
        Ok(ended)
    }

    /// Reads lines until the container closes its output, which it does when it ends.
    async fn listen(
        &self,
        id: &str,
        mut output: Output,
        stop: impl Future<Output = ()>,
        heard: &mut dyn FnMut(&Line),
    ) -> Result<Ended> {
        let mut stop = std::pin::pin!(stop);
        let mut stopping = false;
        let mut deadline = Instant::now() + SILENCE;
        let mut lines = LineReader::default();
        let mut complaints = Complaints::default();
        let mut ended = Ended::default();
        loop {
            let piece = tokio::select! {
                piece = output.next() => piece,
                () = &mut stop, if !stopping => {
                    stopping = true;
                    deadline = Instant::now() + GRACE;
                    self.signal(id, "SIGTERM").await?;
                    continue;
                }
                () = tokio::time::sleep_until(deadline) => return Err(overdue(stopping, &complaints)),
            };
            match piece {
                None => break,
                Some(Ok(LogOutput::StdErr { message })) => complaints.push(&message),
                Some(Ok(message)) => {
                    for line in lines.push(&message.into_bytes()).map_err(|bad| unreadable(&bad, &complaints))? {
                        heard(&line);
                        ended.take(line.event);
                    }
                }
                Some(Err(error)) => return Err(refused("pass on the ingester's output")(error)),
            }
            if !stopping {
                deadline = Instant::now() + SILENCE;
            }
        }
        if ended.result.is_none() && ended.failed.is_none() {
            lines.end().map_err(|bad| unreadable(&bad, &complaints))?;
        }
        ended.complaints = complaints.text();
        Ok(ended)
    }

    async fn signal(&self, id: &str, signal: &str) -> Result<()> {
        let options = KillContainerOptionsBuilder::default().signal(signal).build();
        match self.engine.docker.kill_container(id, Some(options)).await {
            // It has just ended by itself.
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 409, .. }) | Ok(()) => Ok(()),
            Err(error) => Err(refused("stop the ingester")(error)),
        }
    }
}

impl Ended {
    fn take(&mut self, event: Event) {
        match event {
            Event::Finished { result } => self.result = Some(result),
            Event::Failed { error, .. } => self.failed = Some(error),
            _ => {}
        }
    }
}

fn unreadable(bad: &crate::wire::reader::BadLine, complaints: &Complaints) -> anyhow::Error {
    let text = complaints.text();
    let said = if text.is_empty() { String::new() } else { format!("\n{}", indent(&text)) };
    Failure::new(Exit::Failure, format!("the ingester's answer cannot be read: {bad}{said}")).into()
}

fn overdue(stopping: bool, complaints: &Complaints) -> anyhow::Error {
    let text = complaints.text();
    let said = if text.is_empty() { String::new() } else { format!("; its last words:\n{}", indent(&text)) };
    let (what, limit) = if stopping { ("did not end", GRACE) } else { ("said nothing", SILENCE) };
    let message = format!("the ingester {what} within {} s and was removed{said}", limit.as_secs());
    Failure::new(Exit::Failure, message).into()
}

/// The last lines of standard error.
#[derive(Debug, Default)]
struct Complaints {
    lines: VecDeque<String>,
    pending: String,
}

impl Complaints {
    fn push(&mut self, bytes: &[u8]) {
        self.pending.push_str(&String::from_utf8_lossy(bytes));
        while let Some(end) = self.pending.find('\n') {
            let rest = self.pending.split_off(end + 1);
            self.lines.push_back(std::mem::replace(&mut self.pending, rest).trim_end().to_owned());
            if self.lines.len() > COMPLAINTS {
                self.lines.pop_front();
            }
        }
    }

    fn text(&self) -> String {
        let mut lines: Vec<&str> = self.lines.iter().map(String::as_str).collect();
        if !self.pending.is_empty() {
            lines.push(&self.pending);
        }
        lines.join("\n")
    }
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
    let labels = [
        (label::STACK, stack.project.clone()),
        (label::SERIES, spec.series.clone()),
        (label::RUN, spec.run.to_string()),
    ];
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ingester_that_dies_without_a_word_is_quoted_from_its_standard_error() {
        let mut complaints = Complaints::default();
        (0..50).for_each(|line| complaints.push(format!("line {line}\n").as_bytes()));
        let ended = Ended { code: 101, complaints: complaints.text(), ..Default::default() };
        let error = ended.result().unwrap_err();
        assert_eq!(error.exit, Exit::Failure);
        assert!(error.message.contains("code 101") && error.message.ends_with("  line 49"), "{}", error.message);
        assert!(!error.message.contains("line 29\n"), "{}", error.message);
    }

    #[test]
    fn an_ingester_s_own_error_and_code_are_passed_on() {
        let ended = Ended { code: 3, failed: Some("copy is not for processes".into()), ..Default::default() };
        let error = ended.result().unwrap_err();
        assert_eq!((error.exit, error.message.as_str()), (Exit::NotSupported, "copy is not for processes"));
    }
}
