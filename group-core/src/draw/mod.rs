//! Pictures of a group, as SVG: its order as a graph, its start and its stop as bars. Pure functions.

mod axis;
pub(crate) mod graph;
mod layers;
pub(crate) mod svg;
pub(crate) mod timeline;
