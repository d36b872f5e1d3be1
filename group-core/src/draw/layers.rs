//! The places of services in a layered graph, after Sugiyama: each service stands one layer behind the last one that it
//! comes after, lines cross as little as a few sweeps can make them, and no line runs through a service.

use std::collections::HashMap;

/// How often the layers are walked, to and fro, to find a better order and better places.
const SWEEPS: usize = 12;

/// A line that leads through a layer needs this much of its height, where a service needs 1.
const LANE: f64 = 0.45;

/// One place in a layer: a service, or a lane in which a line passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    /// The service; of a lane, the one from which its line comes.
    pub(super) service: usize,
    pub(super) is_lane: bool,
    pub(super) layer: usize,
    /// From the top, where a service is 1 high.
    pub(super) y: f64,
}

/// The layout of a graph. Lines lead from a layer to the next.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) places: Vec<Place>,
    /// Pairs of places, from left to right.
    pub(super) lines: Vec<(usize, usize)>,
    pub(super) layers: usize,
    pub(super) height: f64,
}

/// The edges that do not follow from others. `after` has, for each service, those that it comes after, which have lower
/// numbers.
pub(super) fn reduced(after: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let words = after.len().div_ceil(64);
    // For each service, all that it comes after, directly or not, as bits.
    let mut behind: Vec<Vec<u64>> = Vec::with_capacity(after.len());
    let mut reduced = Vec::with_capacity(after.len());
    for firsts in after {
        let mut all = vec![0; words];
        for &first in firsts {
            all.iter_mut().zip(&behind[first]).for_each(|(all, more)| *all |= more);
        }
        let follows = |first: usize| all[first / 64] >> (first % 64) & 1 == 1;
        reduced.push(firsts.iter().copied().filter(|&first| !follows(first)).collect());
        for first in firsts {
            all[first / 64] |= 1 << (first % 64);
        }
        behind.push(all);
    }
    reduced
}

/// Lays out the services that have edges.
pub(super) fn layout(after: &[Vec<usize>]) -> Layout {
    let mut graph = Graph::new(after);
    if graph.layers.is_empty() {
        return Layout::default();
    }
    for sweep in 0..SWEEPS {
        graph.sort(sweep % 2 == 0);
    }
    graph.stack();
    for sweep in 0..SWEEPS {
        graph.pull(sweep % 2 == 0);
    }
    graph.finish()
}

struct Graph {
    places: Vec<Place>,
    /// The places of each layer, from the top.
    layers: Vec<Vec<usize>>,
    lines: Vec<(usize, usize)>,
    /// The neighbours of each place, in the layer before it and in the one after it.
    before: Vec<Vec<usize>>,
    behind: Vec<Vec<usize>>,
}

impl Graph {
    fn new(after: &[Vec<usize>]) -> Self {
        let mut graph =
            Self { places: Vec::new(), layers: Vec::new(), lines: Vec::new(), before: Vec::new(), behind: Vec::new() };
        let mut is_used = vec![false; after.len()];
        let mut depth = vec![0; after.len()];
        for (service, firsts) in after.iter().enumerate() {
            depth[service] = firsts.iter().map(|&first| depth[first] + 1).max().unwrap_or(0);
            is_used[service] |= !firsts.is_empty();
            for &first in firsts {
                is_used[first] = true;
            }
        }
        let mut place_of = vec![0; after.len()];
        for service in (0..after.len()).filter(|&service| is_used[service]) {
            place_of[service] = graph.add(service, false, depth[service]);
        }
        // All lines from one service share one lane in each layer.
        let mut lanes: HashMap<(usize, usize), usize> = HashMap::new();
        for (service, firsts) in after.iter().enumerate() {
            for &first in firsts {
                let mut from = place_of[first];
                for layer in depth[first] + 1..depth[service] {
                    from = *lanes.entry((first, layer)).or_insert_with(|| {
                        let lane = graph.add(first, true, layer);
                        graph.connect(from, lane);
                        lane
                    });
                }
                graph.connect(from, place_of[service]);
            }
        }
        graph
    }

    fn add(&mut self, service: usize, is_lane: bool, layer: usize) -> usize {
        let place = self.places.len();
        self.places.push(Place { service, is_lane, layer, y: 0.0 });
        self.before.push(Vec::new());
        self.behind.push(Vec::new());
        self.layers.resize(self.layers.len().max(layer + 1), Vec::new());
        self.layers[layer].push(place);
        place
    }

    fn connect(&mut self, from: usize, to: usize) {
        self.lines.push((from, to));
        self.behind[from].push(to);
        self.before[to].push(from);
    }

    /// The layers in the order of a walk, each with the neighbours that were walked before it.
    fn walk(&self, forward: bool) -> (Vec<usize>, &[Vec<usize>]) {
        let layers = 0..self.layers.len();
        if forward { (layers.collect(), &self.before) } else { (layers.rev().collect(), &self.behind) }
    }

    /// Sorts each layer by the middle of the neighbours of its places.
    fn sort(&mut self, forward: bool) {
        let mut rank = vec![0.0; self.places.len()];
        let mut layers = self.layers.clone();
        let (walk, neighbours) = self.walk(forward);
        for layer in walk {
            let middle = |place: usize| mean(neighbours[place].iter().map(|&other| rank[other]));
            let mut middles: Vec<(f64, usize)> = Vec::new();
            for (at, &place) in layers[layer].iter().enumerate() {
                middles.push((middle(place).unwrap_or(fraction(at, layers[layer].len())), place));
            }
            middles.sort_by(|(one, _), (other, _)| one.total_cmp(other));
            layers[layer] = middles.into_iter().map(|(_, place)| place).collect();
            for (at, &place) in layers[layer].iter().enumerate() {
                rank[place] = fraction(at, layers[layer].len());
            }
        }
        self.layers = layers;
    }

    /// The height that a place takes up.
    fn height(&self, place: usize) -> f64 {
        if self.places[place].is_lane { LANE } else { 1.0 }
    }

    /// Puts the places of each layer below each other.
    fn stack(&mut self) {
        for layer in 0..self.layers.len() {
            let offsets = self.offsets(layer);
            for (&place, offset) in self.layers[layer].clone().iter().zip(offsets) {
                self.places[place].y = offset;
            }
        }
    }

    /// How far below the first place of a layer each of them is, at least.
    fn offsets(&self, layer: usize) -> Vec<f64> {
        let mut below = 0.0;
        let offset = |&place: &usize| {
            let middle = below + self.height(place) / 2.0;
            below += self.height(place);
            middle
        };
        self.layers[layer].iter().map(offset).collect()
    }

    /// Moves each place towards its neighbours, as far as the others of its layer leave room: the nearest such places by
    /// least squares.
    fn pull(&mut self, forward: bool) {
        for layer in self.walk(forward).0 {
            let (_, neighbours) = self.walk(forward);
            let wish = |&place: &usize| {
                let y = |&other: &usize| self.places[other].y;
                mean(neighbours[place].iter().map(y)).unwrap_or(self.places[place].y)
            };
            let offsets = self.offsets(layer);
            let wishes = self.layers[layer].iter().map(wish).zip(&offsets).map(|(wish, offset)| wish - offset);
            let rising = rising(wishes);
            for ((&place, offset), base) in self.layers[layer].clone().iter().zip(offsets).zip(rising) {
                self.places[place].y = base + offset;
            }
        }
    }

    fn finish(mut self) -> Layout {
        let edge = |place: usize, side: f64| self.places[place].y + side * self.height(place) / 2.0;
        let all = 0..self.places.len();
        let top = all.clone().map(|place| edge(place, -1.0)).fold(f64::INFINITY, f64::min);
        let bottom = all.map(|place| edge(place, 1.0)).fold(f64::NEG_INFINITY, f64::max);
        self.places.iter_mut().for_each(|place| place.y -= top);
        Layout { places: self.places, lines: self.lines, layers: self.layers.len(), height: bottom - top }
    }
}

/// The place within a layer, from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "no layer has as many places")]
fn fraction(at: usize, of: usize) -> f64 {
    (at as f64 + 0.5) / of as f64
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, number) = values.fold((0.0, 0.0), |(sum, number), value| (sum + value, number + 1.0));
    (number > 0.0).then(|| sum / number)
}

/// The values nearest to these that never fall, by least squares: where they fall, neighbours share their mean.
fn rising(values: impl Iterator<Item = f64>) -> Vec<f64> {
    // Blocks of values that share their mean: their sum, and how many they are.
    let mut blocks: Vec<(f64, u32)> = Vec::new();
    let mean = |(sum, number): (f64, u32)| sum / f64::from(number);
    for value in values {
        let mut block = (value, 1);
        while let Some(before) = blocks.pop_if(|before| mean(*before) > mean(block)) {
            block = (before.0 + block.0, before.1 + block.1);
        }
        blocks.push(block);
    }
    blocks.into_iter().flat_map(|block| std::iter::repeat_n(mean(block), block.1 as usize)).collect()
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    fn random(rng: &mut Rng, services: usize) -> Vec<Vec<usize>> {
        let firsts = |rng: &mut Rng, id: usize| (0..rng.usize(..4)).map(|_| rng.usize(..id)).collect();
        (0..services).map(|id| if id == 0 { Vec::new() } else { firsts(rng, id) }).collect()
    }

    /// All that a service comes after, directly or not.
    fn behind(after: &[Vec<usize>], service: usize) -> Vec<bool> {
        let mut all = vec![false; after.len()];
        let mut open = after[service].clone();
        while let Some(first) = open.pop() {
            if !std::mem::replace(&mut all[first], true) {
                open.extend(&after[first]);
            }
        }
        all
    }

    #[test]
    fn fewer_edges_say_the_same() {
        let rng = &mut Rng::with_seed(3);
        for _ in 0..200 {
            let services = rng.usize(1..90);
            let all = random(rng, services);
            let few = reduced(&all);
            for service in 0..services {
                assert_eq!(behind(&all, service), behind(&few, service));
                let follows = |&first: &usize| few[service].iter().any(|&other| behind(&few, other)[first]);
                assert!(!few[service].iter().any(follows), "{few:?}");
            }
        }
    }

    #[test]
    fn nothing_overlaps_and_each_line_leads_to_the_next_layer() {
        let rng = &mut Rng::with_seed(5);
        for _ in 0..60 {
            let services = rng.usize(1..300);
            let after = reduced(&random(rng, services));
            let Layout { places, lines, layers, height } = layout(&after);
            let size = |place: &Place| if place.is_lane { LANE } else { 1.0 };
            for layer in 0..layers {
                let mut here: Vec<&Place> = places.iter().filter(|place| place.layer == layer).collect();
                here.sort_by(|one, other| one.y.total_cmp(&other.y));
                for pair in here.windows(2) {
                    let room = f64::midpoint(size(pair[0]), size(pair[1]));
                    assert!(pair[1].y - pair[0].y > room - 1e-6, "{pair:?}");
                }
            }
            assert!(places.iter().all(|place| place.y > 0.0 && place.y < height), "{places:?}");
            assert!(lines.iter().all(|&(from, to)| places[from].layer + 1 == places[to].layer), "{lines:?}");
        }
    }
}
