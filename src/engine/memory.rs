//! A container's memory: what it cannot do without, and a limit on it, set live.

use super::{Container, Stack, refused};
use anyhow::{Context, Result};
use bollard::models::ContainerUpdateBody;

/// Prints what the container's control group uses, bytes, then its account, version 2 or 1. The engine leaves shared
/// memory out of what it tells.
const READ_CGROUP: &str = "cd /sys/fs/cgroup; if [ -e memory.current ]; then cat memory.current memory.stat; \
    else cd memory && cat memory.usage_in_bytes memory.stat; fi";

impl Stack {
    /// Bytes that a container uses and the kernel could not take back: without what it only keeps of files.
    pub async fn memory_in_use(&self, container: &Container) -> Result<u64> {
        let (_, said, _) = self.exec(container, &["/bin/sh", "-c", READ_CGROUP]).await?;
        in_use(&said).with_context(|| format!("{} keeps no account of its memory", container.service))
    }

    /// A container's limit in bytes; none where it may have all of the machine's `total`.
    pub async fn memory_limit(&self, container: &Container, total: u64) -> Result<Option<u64>> {
        let config = self.inspect(container).await?.host_config.unwrap_or_default();
        Ok(config.memory.and_then(|limit| u64::try_from(limit).ok()).filter(|limit| (1..total).contains(limit)))
    }

    /// Limits it to so many bytes. What doesn't fit is not swapped out, where there is swap.
    pub async fn limit_memory(&self, container: &Container, bytes: u64) -> Result<()> {
        let bytes = i64::try_from(bytes).context("a limit on memory")?;
        self.update_memory(container, Some(bytes), bytes).await
    }

    /// Lets it have all of the machine's `total` again. Written out: the engine takes 0 for "as it is".
    pub async fn free_memory(&self, container: &Container, total: u64) -> Result<()> {
        self.limit_memory(container, total).await?;
        // One after the other: the kernel refuses a limit above that on memory and swap together.
        self.update_memory(container, None, -1).await
    }

    async fn update_memory(&self, container: &Container, memory: Option<i64>, memory_swap: i64) -> Result<()> {
        let update = ContainerUpdateBody { memory, memory_swap: Some(memory_swap), ..Default::default() };
        let updated = container.engine.docker.update_container(&container.id, update).await;
        updated.map_err(refused(format!("limit the memory of {}", container.service)))
    }
}

/// Use without what is kept of files; shared memory counts among those, and stays.
fn in_use(said: &str) -> Option<u64> {
    let (used, account) = said.split_once('\n')?;
    let entry = |name: &str| -> Option<u64> {
        account.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
    };
    let of_files = entry("cache").or_else(|| entry("file"))?;
    Some(used.trim().parse::<u64>().ok()?.saturating_sub(of_files) + entry("shmem").unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_files_is_not_in_use_and_shared_memory_is() {
        assert_eq!(in_use("1000\ncache 700\nrss 300\nshmem 300\nmapped_file 9\n"), Some(600));
        assert_eq!(in_use("1000\nanon 300\nfile 700\nfile_mapped 9\nshmem 300\n"), Some(600));
        assert_eq!(in_use(""), None);
    }
}
