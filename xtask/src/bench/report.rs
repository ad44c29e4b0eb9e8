//! The figures: medians on the terminal, every round in JSON.

use serde_json::{Value, json};

/// What one run of a helper reported.
#[derive(Clone)]
pub(super) struct Run {
    units: f64,
    wall: f64,
    cpu: f64,
    peak_kib: f64,
    pub(super) checksum: String,
}

impl Run {
    pub(super) fn read(json: &Value) -> Option<Self> {
        Some(Self {
            units: json["rows"].as_f64()?,
            wall: json["wall_s"].as_f64()?,
            cpu: json["cpu_s"].as_f64()?,
            peak_kib: json["peak_rss_kb"].as_f64()?,
            checksum: json["checksum"].as_str()?.to_owned(),
        })
    }
}

/// The figure of a case that counts; the other is shown beside it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Metric {
    RowsPerCpu,
    QueriesPerSecond,
    BytesPerSecond,
    RowsPerSecond,
}

impl Metric {
    fn unit(self) -> &'static str {
        match self {
            Self::RowsPerCpu => "rows per second of client CPU",
            Self::QueriesPerSecond => "queries per second",
            Self::BytesPerSecond => "bytes per second",
            Self::RowsPerSecond => "rows per second",
        }
    }

    fn of(self, run: &Run) -> f64 {
        match self {
            Self::RowsPerCpu => run.units / run.cpu,
            Self::QueriesPerSecond | Self::BytesPerSecond | Self::RowsPerSecond => {
                run.units / run.wall
            }
        }
    }
}

pub(super) struct Case {
    pub(super) name: &'static str,
    metric: Metric,
    /// The peer's case, which may be another way to the same end, or none.
    pub(super) against: Option<&'static str>,
    pub(super) ours: Vec<Run>,
    pub(super) peer: Vec<Run>,
}

impl Case {
    pub(super) fn new(name: &'static str, metric: Metric) -> Self {
        Self::against(name, metric, Some(name))
    }

    pub(super) fn against(name: &'static str, metric: Metric, peer: Option<&'static str>) -> Self {
        Self {
            name,
            metric,
            against: peer,
            ours: Vec::new(),
            peer: Vec::new(),
        }
    }

    /// What counts, as the median of our runs.
    pub(super) fn ours(&self) -> f64 {
        median(&self.ours, |run| self.metric.of(run))
    }

    /// Ours over the peer's, of what counts.
    pub(super) fn metric_ratio(&self) -> f64 {
        self.ratio(|run| self.metric.of(run))
    }

    /// Ours over the peer's, of rows or queries per second.
    pub(super) fn wall_ratio(&self) -> f64 {
        self.ratio(|run| run.units / run.wall)
    }

    fn ratio(&self, figure: impl Fn(&Run) -> f64) -> f64 {
        median(&self.ours, &figure) / median(&self.peer, &figure)
    }

    fn to_json(&self) -> Value {
        let series = |figure: fn(&Run) -> f64| {
            let of = |runs: &[Run]| runs.iter().map(figure).collect::<Vec<_>>();
            json!({ "ours": of(&self.ours), "peer": of(&self.peer) })
        };
        let figures = |runs: &[Run]| {
            runs.iter()
                .map(|run| self.metric.of(run))
                .collect::<Vec<_>>()
        };
        json!({
            "name": self.name,
            "peer_case": self.against,
            "unit": self.metric.unit(),
            "ours": figures(&self.ours),
            "peer": figures(&self.peer),
            "ratio": self.metric_ratio(),
            "wall_ratio": self.wall_ratio(),
            "beside": {
                "wall_us_each": series(|run| run.wall / run.units * 1e6),
                "cpu_us_each": series(|run| run.cpu / run.units * 1e6),
                "peak_rss_kib": series(|run| run.peak_kib),
            },
        })
    }

    fn print(&self) {
        let each =
            |figure: fn(&Run) -> f64| (median(&self.ours, figure), median(&self.peer, figure));
        let (ours, peer) = (
            median(&self.ours, |run| self.metric.of(run)),
            median(&self.peer, |run| self.metric.of(run)),
        );
        let (cpu_ours, cpu_peer) = each(|run| run.cpu / run.units * 1e6);
        let (wall_ours, wall_peer) = each(|run| run.wall / run.units * 1e6);
        let (kib_ours, kib_peer) = each(|run| run.peak_kib);
        if self.peer.is_empty() {
            println!(
                "{:<16}| {ours:>11.0} | {:>11} | {:>7} | cpu µs {cpu_ours:.3}, wall µs {wall_ours:.3}, \
                 peak MiB {:.1}",
                self.name,
                "",
                "",
                kib_ours / 1024.0,
            );
            return;
        }
        println!(
            "{:<16}| {ours:>11.0} | {peer:>11.0} | {:>6.2}x | cpu µs {cpu_ours:.3} / {cpu_peer:.3}, \
             wall µs {wall_ours:.2} / {wall_peer:.2}, peak MiB {:.1} / {:.1}",
            self.name,
            ours / peer,
            kib_ours / 1024.0,
            kib_peer / 1024.0,
        );
    }
}

#[derive(Default)]
pub(super) struct Report {
    pub(super) cases: Vec<Case>,
    pub(super) embedded: Vec<Case>,
    /// Ours through our libtaos, against ours over WebSocket.
    pub(super) native: Vec<Case>,
    pub(super) echo: Vec<Run>,
    /// Figures of ours in terms of others of ours.
    pub(super) notes: Vec<String>,
}

impl Report {
    fn echo_cpu_us(&self) -> f64 {
        median(&self.echo, |run| run.cpu / run.units * 1e6)
    }

    pub(super) fn to_json(&self) -> Value {
        let all = |cases: &[Case]| cases.iter().map(Case::to_json).collect::<Vec<_>>();
        json!({
            "cases": all(&self.cases),
            "embedded": all(&self.embedded),
            "native": all(&self.native),
            "echo": { "cpu_us_each": self.echo_cpu_us() },
            "sequential_cpu_over_echo": self.over_echo(),
            "notes": self.notes,
        })
    }

    /// CPU of a small query in units of a bare WebSocket round trip.
    fn over_echo(&self) -> Option<f64> {
        let case = self.cases.iter().find(|case| case.name == "sequential")?;
        Some(median(&case.ours, |run| run.cpu / run.units * 1e6) / self.echo_cpu_us())
    }

    pub(super) fn print(&self) {
        println!(
            "\n{:<16}| {:>11} | {:>11} | {:>7} |",
            "case", "ours", "peer", "ratio"
        );
        for case in &self.cases {
            case.print();
        }
        if !self.native.is_empty() {
            println!("native, through our libtaos (ours), and over WebSocket (peer):");
            for case in &self.native {
                case.print();
            }
        }
        if !self.embedded.is_empty() {
            println!("from the embedded server:");
            for case in &self.embedded {
                case.print();
            }
        }
        if !self.echo.is_empty() {
            println!(
                "bare WebSocket echo: {:.1} µs of CPU a round trip",
                self.echo_cpu_us()
            );
        }
        if let Some(ratio) = self.over_echo() {
            println!("a small query costs {ratio:.2} of those (it needs two round trips)");
        }
        for note in &self.notes {
            println!("{note}");
        }
    }
}

fn median(runs: &[Run], figure: impl Fn(&Run) -> f64) -> f64 {
    let mut figures: Vec<f64> = runs.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match (figures.len() % 2, figures.get(middle)) {
        (1, Some(figure)) => *figure,
        (0, Some(upper)) => f64::midpoint(figures[middle - 1], *upper),
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(units: f64, wall: f64, cpu: f64) -> Run {
        Run {
            units,
            wall,
            cpu,
            peak_kib: 1.0,
            checksum: String::new(),
        }
    }

    #[test]
    fn ratios_are_of_medians_and_higher_is_better() {
        let mut case = Case::new("raw", Metric::RowsPerCpu);
        case.ours = vec![
            run(100.0, 9.0, 1.0),
            run(100.0, 9.0, 2.0),
            run(100.0, 9.0, 50.0),
        ];
        case.peer = vec![run(100.0, 1.0, 4.0), run(100.0, 1.0, 4.0)];
        assert_eq!(case.to_json()["ratio"], json!(2.0));
        case.metric = Metric::QueriesPerSecond;
        assert!(
            case.to_json()["ratio"]
                .as_f64()
                .is_some_and(|ratio| ratio < 0.2)
        );
    }
}
