//! The plot: sign-ins beside what others' documents say of theirs, how soon an answer is there, both
//! programs' throughput, and sending as work grows.

use std::path::Path;

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{IntoSegmentedCoord, SegmentValue};
use plotters::prelude::*;

use crate::growth::Step;
use crate::operations::Operation;
use crate::report::Report;
use crate::sign_ins::HalfLoad;

const SIZE: (u32, u32) = (960, 900);
const FONT: &str = "sans-serif";
const OTHERS: RGBColor = RGBColor(0x9a, 0xa5, 0xb1);
const PRODUCT: RGBColor = RGBColor(0x1f, 0x6f, 0xeb);
/// Of the highest bar or point, above it.
const HEADROOM: f64 = 1.15;

/// What others' documents say; docs/benchmarks/README.md has the sources.
const DOCUMENTED: [(&str, f64); 2] = [
    ("Firebase Authentication: a project's limit, phones", 1600.0 / 60.0),
    ("Keycloak: 2 vCPU by its sizing guide, passwords", 30.0),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One bar: what it stands for, how long it is, its color.
type Bar = (String, f64, RGBColor);

/// Draws it into an SVG file.
pub(crate) fn draw(report: &Report, file: &Path) -> anyhow::Result<()> {
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE).map_err(failed)?;
    let (above, rest) = root.split_vertically(250);
    let (middle, below) = rest.split_vertically(340);
    let cost = report.costs.last().map_or(f64::NAN, |cost| cost.all_us.median());
    sign_ins(report.machine.processors, cost, &above)?;
    let (left, right) = middle.split_horizontally(SIZE.0 * 2 / 5);
    answers(&report.half_load, &left)?;
    throughput(&report.operations.operations, &right)?;
    let (left, right) = below.split_horizontally(SIZE.0 / 2);
    let connections = |step: &Step| f64::from(step.connections);
    steps(
        &left,
        "OTPs asked for a second, by connections",
        &report.growth.by_connections,
        connections,
    )?;
    let challenges = |step: &Step| step.challenges as f64;
    steps(&right, "The same, by OTPs that are alive", &report.growth.by_challenges, challenges)?;
    root.present().map_err(failed)
}

/// Of what two cores bear, by what a sign-in costs all four programs.
fn sign_ins(cores: usize, cost_us: f64, area: &Area<'_>) -> anyhow::Result<()> {
    let ours = cores as f64 * 1e6 / cost_us;
    let named = format!("Cheershare: {cores} cores, stores included");
    let others = DOCUMENTED.map(|(name, rate)| (name.to_owned(), rate, OTHERS));
    let bars: Vec<Bar> = others.into_iter().chain([(named, ours, PRODUCT)]).collect();
    let mut chart = ChartBuilder::on(area)
        .caption("Sign-ins a second (each line is ten times the one before)", (FONT, 18))
        .margin(12)
        .margin_right(60)
        .x_label_area_size(28)
        .y_label_area_size(330)
        .build_cartesian_2d(
            (1.0..10_000.0).log_scale(),
            (0..bars.len().saturating_sub(1)).into_segmented(),
        )
        .map_err(failed)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .x_label_formatter(&|rate| format!("{rate:.0}"))
        .y_label_formatter(&|position| name_of(&bars, position))
        .label_style((FONT, 14))
        .light_line_style(TRANSPARENT)
        .draw()
        .map_err(failed)?;
    let rectangles = bars.iter().enumerate().map(|(bar, (_, rate, color))| {
        let corners = [(1.0, SegmentValue::Exact(bar)), (*rate, SegmentValue::Exact(bar + 1))];
        let mut rectangle = Rectangle::new(corners, color.filled());
        rectangle.set_margin(12, 12, 0, 0);
        rectangle
    });
    chart.draw_series(rectangles).map_err(failed)?;
    let figures = bars.iter().enumerate().map(|(bar, (_, rate, _))| {
        Text::new(format!(" {rate:.0}"), (*rate, SegmentValue::CenterOf(bar)), (FONT, 14))
    });
    chart.draw_series(figures).map_err(failed)?;
    Ok(())
}

/// At half of the capacity.
fn answers(measured: &[HalfLoad], area: &Area<'_>) -> anyhow::Result<()> {
    let bars = measured.iter().flat_map(|half| {
        let bar = |name: &str, ms, color| (format!("{}, {name}", half.operation), ms, color);
        [
            bar("50 of 100", half.p50_ms.median(), OTHERS),
            bar("99 of 100", half.p99_ms.median(), PRODUCT),
        ]
    });
    columns(
        area,
        "Answered within so many ms, at half of the capacity",
        2,
        &bars.collect::<Vec<_>>(),
    )
}

fn throughput(measured: &[Operation], area: &Area<'_>) -> anyhow::Result<()> {
    let bars = measured.iter().flat_map(|operation| {
        let short = operation.name.trim_start_matches("authenticated ");
        let bar = |name: &str, rate, color| (format!("{short}, {name}"), rate, color);
        [
            bar("floor", operation.floor.requests_a_second.median(), OTHERS),
            bar("service", operation.product.requests_a_second.median(), PRODUCT),
        ]
    });
    let bars: Vec<Bar> = bars.collect();
    columns(area, "Requests a second; the floor is the least code that answers", 0, &bars)
}

fn columns(area: &Area<'_>, title: &str, decimals: usize, bars: &[Bar]) -> anyhow::Result<()> {
    let highest = bars.iter().map(|(_, height, _)| *height).fold(0.0, f64::max) * HEADROOM;
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 16))
        .margin(12)
        .x_label_area_size(32)
        .y_label_area_size(64)
        .build_cartesian_2d((0..bars.len().saturating_sub(1)).into_segmented(), 0.0..highest)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_label_formatter(&|position| name_of(bars, position))
        .x_label_style((FONT, 11))
        .draw()
        .map_err(failed)?;
    let rectangles = bars.iter().enumerate().map(|(bar, (_, height, color))| {
        let corners = [(SegmentValue::Exact(bar), 0.0), (SegmentValue::Exact(bar + 1), *height)];
        let mut rectangle = Rectangle::new(corners, color.filled());
        rectangle.set_margin(0, 0, 14, 14);
        rectangle
    });
    chart.draw_series(rectangles).map_err(failed)?;
    let figures = bars.iter().enumerate().map(|(bar, (_, height, _))| {
        let above = (SegmentValue::CenterOf(bar), *height + highest * 0.05);
        Text::new(format!("{height:.decimals$}"), above, (FONT, 13))
    });
    chart.draw_series(figures).map_err(failed)?;
    Ok(())
}

fn name_of(bars: &[Bar], position: &SegmentValue<usize>) -> String {
    match position {
        SegmentValue::CenterOf(bar) => {
            bars.get(*bar).map(|(name, ..)| name.clone()).unwrap_or_default()
        }
        _ => String::new(),
    }
}

fn steps(
    area: &Area<'_>,
    title: &str,
    steps: &[Step],
    of: impl Fn(&Step) -> f64,
) -> anyhow::Result<()> {
    let points: Vec<(f64, f64)> =
        steps.iter().map(|step| (of(step).max(1.0), step.requests_a_second)).collect();
    let highest = points.iter().map(|(_, rate)| *rate).fold(0.0, f64::max) * HEADROOM;
    let (least, most) = points
        .iter()
        .fold((f64::MAX, 1.0_f64), |(least, most), (at, _)| (at.min(least), at.max(most)));
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 16))
        .margin(12)
        .x_label_area_size(32)
        .y_label_area_size(64)
        .build_cartesian_2d((least..most * 1.2).log_scale(), 0.0..highest)
        .map_err(failed)?;
    chart.configure_mesh().x_label_formatter(&|at| format!("{at:.0}")).draw().map_err(failed)?;
    chart.draw_series(LineSeries::new(points.clone(), PRODUCT.stroke_width(2))).map_err(failed)?;
    chart
        .draw_series(points.into_iter().map(|point| Circle::new(point, 4, PRODUCT.filled())))
        .map_err(failed)?;
    Ok(())
}

fn failed(error: impl std::error::Error) -> anyhow::Error {
    anyhow!("the plot cannot be drawn: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::Measured;
    use crate::report;
    use crate::rounds::Rounds;

    /// With round figures, for who changes the plot: `PLOT=<file>` keeps it.
    #[test]
    fn it_is_drawn() {
        let folder = std::env::temp_dir();
        let kept = std::env::var_os("PLOT");
        let file = kept.as_ref().map_or(folder.join("bench-plot.svg"), std::path::PathBuf::from);
        {
            let root = SVGBackend::new(&file, SIZE).into_drawing_area();
            root.fill(&WHITE).unwrap();
            let (above, rest) = root.split_vertically(250);
            let (middle, below) = rest.split_vertically(340);
            let (left, right) = middle.split_horizontally(SIZE.0 / 2);
            sign_ins(2, 1000.0, &above).unwrap();
            let half = |operation, p50, p99| HalfLoad {
                operation,
                requests_a_second: 1000.0,
                p50_ms: Rounds::of([p50]),
                p99_ms: Rounds::of([p99]),
            };
            let measured = [half(report::SEND, 0.6, 2.4), half(report::VERIFY, 1.5, 7.0)];
            answers(&measured, &left).unwrap();
            let rate =
                |rate| Measured { requests_a_second: Rounds::of([rate]), ..Measured::default() };
            let operations = [report::SEND, report::VERIFY, report::PROTECTED]
                .map(|name| Operation { name, floor: rate(46_000.0), product: rate(13_000.0) });
            throughput(&operations, &right).unwrap();
            let step = |connections, rate| Step {
                connections,
                challenges: 0,
                requests_a_second: rate,
                p99_ms: 1.0,
            };
            let all = [step(1, 3_500.0), step(32, 12_500.0), step(256, 13_000.0)];
            steps(&below, "By connections", &all, |step| f64::from(step.connections)).unwrap();
            root.present().unwrap();
        }
        let drawn = std::fs::read_to_string(&file).unwrap();
        assert!(drawn.contains("Keycloak") && drawn.contains("2000"), "{drawn}");
    }
}
