//! The plot: both programs' throughput, and sending as work grows.

use std::path::Path;

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{IntoSegmentedCoord, SegmentValue};
use plotters::prelude::*;

use crate::growth::Step;
use crate::report::Report;

const SIZE: (u32, u32) = (960, 720);
const FONT: &str = "sans-serif";
const FLOOR: RGBColor = RGBColor(0x9a, 0xa5, 0xb1);
const PRODUCT: RGBColor = RGBColor(0x1f, 0x6f, 0xeb);
/// Of the highest bar or point, above it.
const HEADROOM: f64 = 1.15;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws it into an SVG file.
pub(crate) fn draw(report: &Report, file: &Path) -> anyhow::Result<()> {
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE).map_err(failed)?;
    let (above, below) = root.split_vertically(SIZE.1 / 2);
    let (left, right) = below.split_horizontally(SIZE.0 / 2);
    operations(report, &above)?;
    let connections = |step: &Step| f64::from(step.connections);
    steps(&left, "Sends a second by connections", &report.growth.by_connections, connections)?;
    let challenges = |step: &Step| step.challenges as f64;
    steps(&right, "Sends a second by challenges alive", &report.growth.by_challenges, challenges)?;
    root.present().map_err(failed)
}

fn operations(report: &Report, area: &Area<'_>) -> anyhow::Result<()> {
    let operations = &report.operations.operations;
    let bars: Vec<(String, f64, RGBColor)> = operations
        .iter()
        .flat_map(|operation| {
            let bar =
                |name: &str, rate, color| (format!("{}, {name}", operation.name), rate, color);
            [
                bar("floor", operation.floor.requests_a_second.median(), FLOOR),
                bar("product", operation.product.requests_a_second.median(), PRODUCT),
            ]
        })
        .collect();
    let highest = bars.iter().map(|(_, rate, _)| *rate).fold(0.0, f64::max) * HEADROOM;
    let mut chart = ChartBuilder::on(area)
        .caption("Requests a second, 32 connections, median of three rounds", (FONT, 18))
        .margin(12)
        .x_label_area_size(32)
        .y_label_area_size(64)
        .build_cartesian_2d((0..bars.len()).into_segmented(), 0.0..highest)
        .map_err(failed)?;
    let name = |position: &SegmentValue<usize>| match position {
        SegmentValue::CenterOf(bar) => {
            bars.get(*bar).map(|(name, ..)| name.clone()).unwrap_or_default()
        }
        _ => String::new(),
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_label_formatter(&name)
        .x_label_style((FONT, 13))
        .draw()
        .map_err(failed)?;
    let rectangles = bars.iter().enumerate().map(|(bar, (_, rate, color))| {
        let corners = [(SegmentValue::Exact(bar), 0.0), (SegmentValue::Exact(bar + 1), *rate)];
        let mut rectangle = Rectangle::new(corners, color.filled());
        rectangle.set_margin(0, 0, 14, 14);
        rectangle
    });
    chart.draw_series(rectangles).map_err(failed)?;
    Ok(())
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
