//! The order of a group as a graph: layers from left to right, each service behind all that it comes after.

use std::fmt::Write as _;

use crate::draw::layers::{Layout, Place, layout, reduced};
use crate::draw::svg::{Escaped, class, file, fitted, float, label, mark, picture, width_of};
use crate::lifecycle::interface::Role;
use crate::lifecycle::plan::Schedule;
use crate::record::state::State;
use crate::record::status::Status;

/// No more services are drawn: nobody finds anything in a larger picture.
const MOST: usize = 2000;

/// The columns of the longest name that is written out.
const NAME: usize = 34;

const MARGIN: f64 = 16.0;

/// The height of a service, with the room below it.
const ROW: f64 = 36.0;

const BOX: f64 = 26.0;

/// The room between two layers, in which the lines run.
const GAP: f64 = 64.0;

/// The services that no edge ties to another stand in this many columns, below the others.
const COLUMNS: usize = 5;

/// The word behind the name of a sidecar.
const SIDECAR: &str = " sidecar";

/// A service, as the graph shows it.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    pub(crate) name: &'a str,
    /// The services that it comes after, and true for those without which it cannot run. They stand before it.
    pub(crate) after: Vec<(usize, bool)>,
    pub(crate) is_sidecar: bool,
    /// `None` in the picture of a plan.
    pub(crate) state: Option<State>,
}

/// The order of a group, as a file. The services are in start order.
pub(crate) fn graph_file(schedule: Schedule, nodes: &[Node<'_>]) -> String {
    let drawing = Drawing::new(schedule, nodes, false);
    file(drawing.width, drawing.height, &drawing.what, &drawing.body)
}

/// The order of a running group, as a file.
pub(crate) fn graph_of(status: &Status) -> String {
    graph_file(status.schedule(), &nodes(status))
}

/// The order of a running group, for a page in which each service has a place of its own: `#service-3`.
pub(crate) fn graph_in_page(status: &Status) -> String {
    let nodes = nodes(status);
    let drawing = Drawing::new(status.schedule(), &nodes, true);
    picture(drawing.width, drawing.height, &drawing.what, &drawing.body)
}

/// One service of it, as it is now: what stands in the element `node-3`.
pub(crate) fn node_in_page(status: &Status, id: usize) -> String {
    let (node, number) = (node_of(status, id), number(status.schedule(), id));
    linked(id, &boxed(&node, &number, box_width(&node, &number)))
}

fn nodes(status: &Status) -> Vec<Node<'_>> {
    (0..status.places.len()).map(|id| node_of(status, id)).collect()
}

fn node_of(status: &Status, id: usize) -> Node<'_> {
    let service = status.planned(id);
    Node {
        name: service.name(),
        after: status.plan.declared(id).iter().map(|need| (need.id, need.required)).collect(),
        is_sidecar: service.role() == Role::Sidecar,
        state: Some(service.state()),
    }
}

/// The edges of a service that are drawn. Every service comes after the sidecars, and a line from each would say nothing.
fn drawn_edges(nodes: &[Node<'_>], node: &Node<'_>) -> Vec<usize> {
    let firsts = node.after.iter().map(|&(first, _)| first);
    firsts.filter(|&first| node.is_sidecar || !nodes[first].is_sidecar).collect()
}

/// The course of a line: straight through its layer, to the right of all services there, and then to the next layer.
struct Line {
    start: f64,
    right: f64,
    y: f64,
    end: f64,
    end_y: f64,
    has_tip: bool,
}

/// A picture that is being drawn.
struct Drawing<'a> {
    nodes: &'a [Node<'a>],
    schedule: Schedule,
    is_linked: bool,
    what: String,
    body: String,
    width: f64,
    height: f64,
}

impl<'a> Drawing<'a> {
    fn new(schedule: Schedule, nodes: &'a [Node<'a>], is_linked: bool) -> Self {
        let drawn = nodes.len().min(MOST);
        let after: Vec<Vec<usize>> = nodes[..drawn].iter().map(|node| drawn_edges(nodes, node)).collect();
        let what = match schedule {
            Schedule::Strict => "Services start one at a time, in the order of the numbers, and stop in reverse",
            Schedule::Graph => "Each service starts when all that lead to it are ready, and stops before them",
        };
        let mut drawing = Self {
            nodes: &nodes[..drawn],
            schedule,
            is_linked,
            what: what.to_owned(),
            body: String::new(),
            width: 0.0,
            height: MARGIN,
        };
        drawing.text(MARGIN, MARGIN + 4.0, "soft", what);
        drawing.widen(MARGIN * 2.0 + width_of(what));
        drawing.height = MARGIN * 2.0 + 16.0;
        drawing.layers(&after);
        drawing.alone(&after);
        if nodes.len() > drawn {
            let more = format!("… and {} more services, which are not drawn", nodes.len() - drawn);
            drawing.text(MARGIN, drawing.height + 8.0, "soft", &more);
            drawing.height += 24.0;
        }
        drawing.height += MARGIN - (ROW - BOX);
        drawing
    }

    fn widen(&mut self, to: f64) {
        self.width = self.width.max(to);
    }

    fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        self.body.push_str(&label(x, y, class, text));
    }

    /// Draws the services that have edges, and the edges.
    fn layers(&mut self, after: &[Vec<usize>]) {
        let Layout { places, lines, layers, height } = layout(&reduced(after));
        let mut widths = vec![0.0_f64; layers];
        for place in places.iter().filter(|place| !place.is_lane) {
            widths[place.layer] = widths[place.layer].max(self.box_width(place.service));
        }
        let mut lefts = Vec::with_capacity(layers);
        let mut left = MARGIN;
        for width in &widths {
            lefts.push(left);
            left += width + GAP;
        }
        let top = self.height;
        let y = |place: &Place| top + place.y * ROW - (ROW - BOX) / 2.0;
        for &(from, to) in &lines {
            let (from, to) = (&places[from], &places[to]);
            let right = lefts[from.layer] + widths[from.layer];
            let start = lefts[from.layer] + if from.is_lane { 0.0 } else { self.box_width(from.service) };
            let is_optional = !to.is_lane && self.nodes[to.service].after.contains(&(from.service, false));
            let line = Line { start, right, y: y(from), end: lefts[to.layer], end_y: y(to), has_tip: !to.is_lane };
            self.line(line, is_optional);
        }
        for place in places.iter().filter(|place| !place.is_lane) {
            self.node(place.service, lefts[place.layer], y(place));
        }
        if layers > 0 {
            self.widen(left - GAP + MARGIN);
            self.height += height * ROW;
        }
    }

    /// A line from one layer to the next.
    fn line(&mut self, Line { start, right, y, end, end_y, has_tip }: Line, is_optional: bool) {
        let class = if is_optional { "edge optional" } else { "edge" };
        let (middle, last) = (f64::midpoint(right, end), if has_tip { end - 6.0 } else { end });
        let _ = write!(
            self.body,
            "<path class=\"{class}\" d=\"M{start:.1} {y:.1}H{right:.1}C{middle:.1} {y:.1} {middle:.1} {end_y:.1} \
             {last:.1} {end_y:.1}\"/>"
        );
        if has_tip {
            let _ = write!(self.body, "<path class=\"tip\" d=\"M{end:.1} {end_y:.1}l-7 -3.5v7z\"/>");
        }
    }

    /// Draws the services without edges, in columns.
    fn alone(&mut self, after: &[Vec<usize>]) {
        let mut is_tied: Vec<bool> = after.iter().map(|firsts| !firsts.is_empty()).collect();
        after.iter().flatten().for_each(|&first| is_tied[first] = true);
        let alone: Vec<usize> = (0..after.len()).filter(|&service| !is_tied[service]).collect();
        if alone.is_empty() {
            return;
        }
        let width = alone.iter().map(|&service| self.box_width(service)).fold(0.0, f64::max);
        // A few stand in one column, in which an order is read best.
        let columns = if alone.len() <= 10 { 1 } else { COLUMNS };
        let rows = alone.len().div_ceil(columns);
        let top = self.height;
        for (column, services) in alone.chunks(rows).enumerate() {
            let x = float(column).mul_add(width + 16.0, MARGIN);
            for (row, &service) in services.iter().enumerate() {
                self.node(service, x, float(row).mul_add(ROW, top + BOX / 2.0));
            }
            self.widen(x + width + MARGIN);
        }
        self.height += float(rows) * ROW;
    }

    fn box_width(&self, service: usize) -> f64 {
        box_width(&self.nodes[service], &number(self.schedule, service))
    }

    /// A service, with the middle of its left side at this point.
    fn node(&mut self, service: usize, x: f64, y: f64) {
        let (node, number) = (&self.nodes[service], number(self.schedule, service));
        let node = boxed(node, &number, box_width(node, &number));
        let (id, node) = if self.is_linked {
            (format!(" id=\"node-{service}\""), linked(service, &node))
        } else {
            (String::new(), node)
        };
        let _ = write!(self.body, "<g{id} transform=\"translate({x:.1} {y:.1})\">{node}</g>");
    }
}

/// The number of a service in a strict order.
fn number(schedule: Schedule, service: usize) -> String {
    if schedule == Schedule::Strict { format!("{} ", service + 1) } else { String::new() }
}

fn box_width(node: &Node<'_>, number: &str) -> f64 {
    let mark = if node.state.is_some() { 16.0 } else { 0.0 };
    let sidecar = if node.is_sidecar { SIDECAR } else { "" };
    20.0 + mark + width_of(number) + width_of(&fitted(node.name, NAME)) + width_of(sidecar)
}

/// A service in its box, with the middle of its left side at zero.
fn boxed(node: &Node<'_>, number: &str, width: f64) -> String {
    let mut boxed = format!("<g class=\"{}\"><title>{}", node.state.map_or("", class), Escaped(node.name));
    if let Some(state) = node.state {
        let _ = write!(boxed, ": {state}");
    }
    let top = -BOX / 2.0;
    let _ = write!(boxed, "</title><rect class=\"box\" y=\"{top}\" width=\"{width:.1}\" height=\"{BOX}\" rx=\"5\"/>");
    let mut left = 10.0;
    if let Some(state) = node.state {
        let _ = write!(boxed, "<g transform=\"translate({left} -5)\">{}</g>", mark(state));
        left += 16.0;
    }
    let _ = write!(boxed, "<text x=\"{left}\" y=\"0\">");
    if !number.is_empty() {
        let _ = write!(boxed, "<tspan class=\"soft\">{number}</tspan>");
    }
    let _ = write!(boxed, "<tspan>{}</tspan>", Escaped(&fitted(node.name, NAME)));
    if node.is_sidecar {
        let _ = write!(boxed, "<tspan class=\"soft\">{SIDECAR}</tspan>");
    }
    boxed.push_str("</text></g>");
    boxed
}

/// A service that leads to its place in the page.
fn linked(service: usize, boxed: &str) -> String {
    format!("<a href=\"#service-{service}\">{boxed}</a>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(schedule: Schedule, names: &[&str], edges: &[(usize, usize, bool)]) -> String {
        let after =
            |id| edges.iter().filter(|(from, ..)| *from == id).map(|&(_, to, required)| (to, required)).collect();
        let node =
            |(id, &name)| Node { name, after: after(id), is_sidecar: name == "admin", state: Some(State::Ready) };
        let nodes: Vec<Node<'_>> = names.iter().enumerate().map(node).collect();
        graph_file(schedule, &nodes)
    }

    #[test]
    fn an_edge_that_follows_from_others_is_not_drawn() {
        let all = [(1, 0, true), (2, 1, true), (2, 0, true)];
        let lines = drawn(Schedule::Graph, &["a", "b", "c"], &all).matches("<path class=\"tip\"").count();
        assert_eq!(lines, 2);
    }

    #[test]
    fn a_sidecar_stands_apart() {
        let svg = drawn(Schedule::Graph, &["admin", "a", "b"], &[(1, 0, false), (2, 0, false), (2, 1, true)]);
        assert_eq!(svg.matches("<path class=\"tip\"").count(), 1, "{svg}");
        assert!(svg.contains("<tspan>admin</tspan><tspan class=\"soft\"> sidecar</tspan>"), "{svg}");
    }

    #[test]
    fn an_optional_edge_is_dashed() {
        assert!(!drawn(Schedule::Graph, &["a", "b"], &[(1, 0, true)]).contains("edge optional"));
        assert!(drawn(Schedule::Graph, &["a", "b"], &[(1, 0, false)]).contains("edge optional"));
    }

    #[test]
    fn a_strict_order_is_numbered() {
        assert!(drawn(Schedule::Strict, &["a", "b"], &[]).contains("<tspan class=\"soft\">2 </tspan><tspan>b</tspan>"));
        assert!(!drawn(Schedule::Graph, &["a", "b"], &[]).contains("tspan class=\"soft\""));
    }

    #[test]
    fn a_name_is_only_text() {
        let svg = drawn(Schedule::Graph, &["<script>alert(1)</script>", "\"&"], &[]);
        assert!(!svg.contains("<script") && svg.contains("&lt;script&gt;") && svg.contains("&quot;&amp;"), "{svg}");
    }

    #[test]
    fn nothing_and_much_too_much_are_pictures_too() {
        assert!(drawn(Schedule::Strict, &[], &[]).starts_with("<svg"));
        assert!(drawn(Schedule::Graph, &vec!["s"; 2003], &[]).contains("and 3 more services"));
    }
}
