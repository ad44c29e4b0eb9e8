//! What one run of a client cost, and what it read. Compiled into both helpers, ours and the peer's.

use std::time::{Duration, Instant};

/// Reads the clocks of this process at the start of a case.
pub(crate) struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self {
            wall: Instant::now(),
            cpu: process_cpu(),
        }
    }

    pub(crate) fn wall(&self) -> Duration {
        self.wall.elapsed()
    }

    /// One line of JSON: units of work, seconds, peak memory in KiB, and what was read.
    pub(crate) fn report(&self, units: u64, tally: &Tally) -> String {
        let cpu = process_cpu().saturating_sub(self.cpu);
        line(units, self.wall(), cpu, tally.sum)
    }
}

/// The parts of a case that count, added up: what is made for them beforehand stays outside.
#[derive(Default)]
pub(crate) struct Laps {
    wall: Duration,
    cpu: Duration,
}

impl Laps {
    /// Runs `work` with the clocks on.
    pub(crate) fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let clock = Stopwatch::start();
        let done = work();
        self.cpu += process_cpu().saturating_sub(clock.cpu);
        self.wall += clock.wall();
        done
    }

    /// The line that [`Stopwatch::report`] gives.
    pub(crate) fn report(&self, units: u64, checksum: u64) -> String {
        line(units, self.wall, self.cpu, checksum)
    }
}

fn line(units: u64, wall: Duration, cpu: Duration, checksum: u64) -> String {
    format!(
        r#"{{"rows":{units},"wall_s":{:.6},"cpu_s":{:.6},"peak_rss_kb":{},"checksum":"{checksum:016x}"}}"#,
        wall.as_secs_f64(),
        cpu.as_secs_f64(),
        peak_rss_kib(),
    )
}

/// User plus system time of all threads, those that have ended included.
fn process_cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// The high-water mark of resident memory, 0 where the kernel does not say.
fn peak_rss_kib() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
            line.split_whitespace().nth(1)?.parse().ok()
        })
        .unwrap_or(0)
}

/// A running sum over everything a case has read. Cheap on purpose: it must prove that both
/// clients saw the same values without drowning the cost of getting them.
#[derive(Default)]
pub(crate) struct Tally {
    sum: u64,
    pub(crate) rows: u64,
}

const NULL: u64 = 0x9e37_79b9_7f4a_7c15;

impl Tally {
    #[inline]
    pub(crate) fn add(&mut self, value: u64) {
        self.sum = self.sum.rotate_left(7) ^ value;
    }

    #[inline]
    pub(crate) fn null(&mut self) {
        self.add(NULL);
    }

    #[inline]
    pub(crate) fn long(&mut self, value: i64) {
        self.add(u64::from_le_bytes(value.to_le_bytes()));
    }

    #[inline]
    pub(crate) fn int(&mut self, value: Option<i32>) {
        match value {
            Some(value) => self.long(i64::from(value)),
            None => self.null(),
        }
    }

    #[inline]
    pub(crate) fn float(&mut self, value: Option<f32>) {
        match value {
            Some(value) => self.add(u64::from(value.to_bits())),
            None => self.null(),
        }
    }

    #[inline]
    pub(crate) fn text<T: AsRef<str>>(&mut self, value: Option<T>) {
        match value.as_ref().map(|text| text.as_ref().as_bytes()) {
            Some(text) => {
                let ends = text.first().zip(text.last());
                let (first, last) = ends.map_or((0, 0), |(a, b)| (u64::from(*a), u64::from(*b)));
                self.add(first << 40 ^ last << 32 ^ u64::try_from(text.len()).unwrap_or(u64::MAX));
            }
            None => self.null(),
        }
    }

    /// A block as it is: its rows, its size and one byte in each kilobyte.
    pub(crate) fn raw(&mut self, rows: usize, bytes: &[u8]) {
        self.rows += u64::try_from(rows).unwrap_or(0);
        self.add(u64::try_from(bytes.len()).unwrap_or(0));
        for byte in bytes.iter().step_by(1024) {
            self.add(u64::from(*byte));
        }
    }
}
