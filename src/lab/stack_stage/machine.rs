//! What the machine says of itself, asked once a series in the database's container: the lab itself may run elsewhere.

use super::StackStage;
use crate::wire::setup::MachineFacts;
use anyhow::Result;

/// Writes that tell how quick the disk is: on one that takes 10 ms each two seconds' worth.
const WRITES: usize = 200;

/// Prints a line each, `name value`. What is not there prints nothing after its name.
const ASK: &str = r#"
export LC_ALL=C
first() { [ ! -r "$1" ] || head -n 1 "$1"; }
echo "processor $(lscpu 2>/dev/null | sed -n 's/^Model name: *//p' | head -n 1)"
echo "clocksource $(first /sys/devices/system/clocksource/clocksource0/current_clocksource)"
echo "filesystem $(stat -f -c %T "$PGDATA")"
echo "congestion $(first /proc/sys/net/ipv4/tcp_congestion_control)"
echo "receive_buffer $(first /proc/sys/net/ipv4/tcp_rmem)"
echo "send_buffer $(first /proc/sys/net/ipv4/tcp_wmem)"
probe=$PGDATA/../synced-writes.probe
echo "written $(dd if=/dev/zero of="$probe" bs=8k count="$0" oflag=dsync 2>&1 | tail -n 1)"
rm -f "$probe"
"#;

impl StackStage {
    /// Asks the machine under the database. Takes a second or two, most of it writes to its disk.
    pub(super) async fn machine(&self) -> Result<MachineFacts> {
        let ask = ["/bin/sh", "-c", ASK, &WRITES.to_string()];
        let (_, said, _) = self.stack.exec(&self.server().container, &ask).await?;
        Ok(facts(&said))
    }

    /// The version of compose that made the stack; empty where something else did.
    pub(in crate::lab) async fn compose(&self) -> Result<String> {
        Ok(self.stack.compose_version(&self.server().container).await?.unwrap_or_default())
    }
}

fn facts(said: &str) -> MachineFacts {
    let value = |name: &str| {
        let found = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        found.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    MachineFacts {
        processor: value("processor"),
        clocksource: value("clocksource"),
        filesystem: value("filesystem"),
        synced_writes: seconds(&value("written")).map(|seconds| WRITES as f64 / seconds),
        congestion: value("congestion"),
        receive_buffer: value("receive_buffer"),
        send_buffer: value("send_buffer"),
    }
}

/// The time in the last line of `dd`: `1638400 bytes (1.6 MB, 1.6 MiB) copied, 0.37 s, 4.4 MB/s`.
fn seconds(said: &str) -> Option<f64> {
    let (_, after) = said.split_once("copied, ")?;
    let (seconds, _) = after.split_once(" s")?;
    seconds.parse().ok().filter(|seconds| *seconds > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_says_is_read_and_what_it_does_not_say_stays_empty() {
        let said = "processor AMD EPYC  7763\nclocksource tsc\nfilesystem ext2/ext3\nreceive_buffer 4096\t131072\t6291456\n\
                    written 1638400 bytes (1.6 MB, 1.6 MiB) copied, 0.4 s, 4.1 MB/s\ncongestion \n";
        let found = facts(said);
        assert_eq!(found.processor, "AMD EPYC 7763");
        assert_eq!(found.receive_buffer, "4096 131072 6291456");
        assert_eq!((found.synced_writes, found.congestion.as_str(), found.send_buffer.as_str()), (Some(500.0), "", ""));
        assert_eq!(facts("written dd: failed to open: Read-only file system").synced_writes, None);
    }
}
