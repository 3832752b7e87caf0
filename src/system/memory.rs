//! How much memory there is, and how much this process has taken.

use std::fs::read_to_string;

/// What is assumed where the system does not say, as on macOS and Windows: 4 GiB (conventional).
const UNKNOWN: u64 = 4 << 30;

/// Bytes that can be allocated now without swapping, by the system's account and the control group's limit.
pub(crate) fn available() -> u64 {
    let system = read_to_string("/proc/meminfo").ok().and_then(|text| kibibytes(&text, "MemAvailable:"));
    let number = |path: &str| read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let group = |limit: &str, used: &str| Some(number(limit)?.saturating_sub(number(used)?));
    let group = group("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current").or_else(|| {
        group("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes")
    });
    match (system, group) {
        (Some(system), Some(group)) => system.min(group),
        (Some(known), None) | (None, Some(known)) => known,
        (None, None) => UNKNOWN,
    }
}

/// Resident memory of this process now, in bytes; 0 where the system does not say.
pub(crate) fn resident() -> u64 {
    status("VmRSS:").unwrap_or(0)
}

/// Largest resident memory of this process so far, in bytes; `None` where the system does not say (all but Linux).
pub fn peak_memory_bytes() -> Option<u64> {
    status("VmHWM:")
}

fn status(name: &str) -> Option<u64> {
    kibibytes(&read_to_string("/proc/self/status").ok()?, name)
}

/// The number of kB that a line of this name states, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
