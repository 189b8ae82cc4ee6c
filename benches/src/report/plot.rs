//! Plots as SVG text: no dependency, no font but the reader's, the same bytes for the same figures.

use std::fmt::Write as _;

use crate::record::{Figure, Record};

const STYLE: &str = "<style>text{font:13px system-ui,sans-serif;fill:#333}.t{font-weight:600}.g{stroke:#bbb}\
.one{stroke:#333;stroke-dasharray:4 3}.a{fill:#3667a6;stroke:#3667a6}.b{fill:#c8742c;stroke:#c8742c}\
polyline{fill:none!important;stroke-width:2}.e{text-anchor:end}.m{text-anchor:middle}</style>";

/// Ratios of one scenario as bars on a logarithmic axis; the dashed line is the peer.
pub(super) fn bars(title: &str, records: &[&Record]) -> String {
    const LEFT: f64 = 330.0;
    const WIDTH: f64 = 380.0;
    let height = 64.0 + 26.0 * records.len() as f64;
    let axis = Axis::over(records.iter().map(|record| record.ratio).chain([0.5, 2.0]), LEFT, WIDTH);
    let mut svg = open(780.0, height, &format!("{title}: times better than the peer"));
    for (label, x) in axis.ticks() {
        let _ = write!(svg, "<path class=\"g\" d=\"M{x:.1} 34V{:.1}\"/>", height - 24.0);
        let _ = write!(svg, "<text class=\"m\" x=\"{x:.1}\" y=\"{:.1}\">{label}×</text>", height - 8.0);
    }
    let one = axis.place(1.0);
    for (row, record) in records.iter().enumerate() {
        let y = 40.0 + 26.0 * row as f64;
        let end = axis.place(record.ratio);
        let class = if record.ratio >= 1.0 { "a" } else { "b" };
        let label = format!("{} / {}, n = {}", record.metric, record.peer, record.n);
        let _ =
            write!(svg, "<text class=\"e\" x=\"{:.1}\" y=\"{:.1}\">{}</text>", LEFT - 8.0, y + 13.0, escape(&label));
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"18\"/>",
            one.min(end),
            (end - one).abs().max(1.0)
        );
        let _ =
            write!(svg, "<text x=\"{:.1}\" y=\"{:.1}\">{}×</text>", one.max(end) + 5.0, y + 13.0, Figure(record.ratio));
    }
    let _ = writeln!(svg, "<path class=\"one\" d=\"M{one:.1} 34V{:.1}\"/></svg>", height - 24.0);
    svg
}

/// Two curves over the gallery's size, both axes logarithmic.
pub(super) fn growth(title: &str, peer: &str, ours: &[(f64, f64)], peers: &[(f64, f64)]) -> String {
    let all = || ours.iter().chain(peers);
    let x = Axis::over(all().map(|point| point.0), 90.0, 420.0);
    let y = Axis::over(all().map(|point| point.1), 320.0, -270.0);
    let mut svg = open(680.0, 360.0, title);
    for (label, at) in x.ticks() {
        let _ = write!(
            svg,
            "<path class=\"g\" d=\"M{at:.1} 50V320\"/><text class=\"m\" x=\"{at:.1}\" y=\"340\">{label}</text>"
        );
    }
    for (label, at) in y.ticks() {
        let _ = write!(
            svg,
            "<path class=\"g\" d=\"M90 {at:.1}H510\"/><text class=\"e\" x=\"82\" y=\"{:.1}\">{label}</text>",
            at + 4.0
        );
    }
    for (class, name, points) in [("a", "lethe", ours), ("b", peer, peers)] {
        let line: Vec<String> =
            points.iter().map(|&(n, value)| format!("{:.1},{:.1}", x.place(n), y.place(value))).collect();
        let _ = write!(svg, "<polyline class=\"{class}\" points=\"{}\"/>", line.join(" "));
        for &(n, value) in points {
            let _ = write!(
                svg,
                "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>",
                x.place(n),
                y.place(value)
            );
        }
        if let Some(&(n, value)) = points.last() {
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x.place(n) + 10.0,
                y.place(value) + 4.0,
                escape(name)
            );
        }
    }
    svg + "<text class=\"m\" x=\"300\" y=\"356\">templates</text></svg>\n"
}

fn open(width: f64, height: f64, title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\
         {STYLE}<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/><text class=\"t\" x=\"12\" y=\"22\">{}</text>",
        escape(title)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A logarithmic axis of whole decades, or of halves of one where the data fit in it.
struct Axis {
    from: f64,
    to: f64,
    start: f64,
    length: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, start: f64, length: f64) -> Self {
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
        let (from, to) = (low.log10(), high.log10());
        let step = if to - from > 1.0 { 1.0 } else { 0.5 };
        let (from, to) = ((from / step).floor() * step, (to / step).ceil() * step);
        Self { from, to: if to > from { to } else { from + step }, start, length }
    }

    fn place(&self, value: f64) -> f64 {
        self.start + (value.log10() - self.from) / (self.to - self.from) * self.length
    }

    /// Label and place of 1, 10, 100 …, with 2 and 5 between where there is room.
    fn ticks(&self) -> Vec<(String, f64)> {
        let multiples: &[f64] = if self.to - self.from <= 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let decades = self.from.floor() as i32..=self.to.ceil() as i32;
        decades
            .flat_map(|decade| multiples.iter().map(move |multiple| multiple * 10_f64.powi(decade)))
            .filter(|value| (self.from - 1e-9..=self.to + 1e-9).contains(&value.log10()))
            .map(|value| (label(value), self.place(value)))
            .collect()
    }
}

fn label(value: f64) -> String {
    match value {
        x if x >= 1e6 => format!("{}M", x / 1e6),
        x if x >= 1e3 => format!("{}k", x / 1e3),
        x => format!("{}", (x * 1e9).round() / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::tests::record;

    #[test]
    fn a_bar_ends_where_its_ratio_is() {
        let (slow, fast) = (record("search", "a<b", 10, 0.1), record("search", "b", 10, 100.0));
        let svg = bars("search", &[&slow, &fast]);
        // The axis spans 0.1 … 100, three decades of 380 units that begin at 330.
        assert!(svg.contains("class=\"b\" x=\"330.0\" y=\"40.0\" width=\"126.7\""), "{svg}");
        assert!(svg.contains("class=\"a\" x=\"456.7\" y=\"66.0\" width=\"253.3\""), "{svg}");
        assert!(svg.contains("a&lt;b") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn curves_pass_through_their_points() {
        let svg = growth("t", "peer", &[(1e4, 1.0), (1e6, 100.0)], &[(1e4, 10.0), (1e6, 10.0)]);
        assert!(svg.contains("class=\"a\" points=\"90.0,320.0 510.0,50.0\""), "{svg}");
        assert!(svg.contains("class=\"b\" points=\"90.0,185.0 510.0,185.0\""), "{svg}");
        assert!(svg.contains(">10k<") && svg.contains(">1M<"));
    }

    #[test]
    fn equal_values_still_have_an_axis() {
        let svg = growth("t", "p", &[(10.0, 3.0), (20.0, 3.0)], &[(10.0, 3.0), (20.0, 3.0)]);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
