//! Spanning forest of nearly parallel directions, and the coordinates δ of s along it.
//!
//! For a direction k with parent π at distance θ the solver stores δ_k = (s_k − s_π)/θ instead of s_k. Nearly
//! parallel samples nearly share one s; in the differences that stiffness becomes a constraint of order one.

use super::Geometry;
use super::geometry::{distance, sum_length};
use super::near::close;
use crate::linalg::vector::dot;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Edges longer than this carry no stiffness and are cut: the directions there start trees of their own.
const LONGEST_EDGE: f64 = 0.1;

/// Cosine of directions further apart than that: 1 − 0.1²/2, and some room.
const FAR: f64 = 0.994;
/// Pairs closer than that, for each direction, that are listed beforehand; where there are more every step looks at all.
const MOST_CLOSE: usize = 64;

/// A spanning forest over the directions.
#[derive(Debug)]
pub struct Forest {
    /// Parent and distance to it, or none at a root.
    pub parent: Vec<Option<(usize, f64)>>,
    /// Every direction after its parent.
    pub order: Vec<usize>,
    depth: Vec<usize>,
}

impl Forest {
    /// Prim's minimum spanning tree on the angle up to sign, cut at long edges; directions are flipped so that a child points
    /// along its parent. Time O(G² rank), memory O(G).
    pub fn new(geometry: &mut Geometry) -> Self {
        let groups = geometry.groups();
        let near = close(geometry, FAR - 1e-9, MOST_CLOSE * groups);
        let all: Vec<u32> = if near.is_some() { Vec::new() } else { (0..groups as u32).collect() };
        let mut parent = vec![None; groups];
        let mut order = Vec::with_capacity(groups);
        let mut depth = vec![0; groups];
        let mut nearest = vec![f64::INFINITY; groups];
        let mut done = vec![false; groups];
        // By distance, then by index; a direction reached anew at a smaller distance leaves its old entry behind.
        let mut reached = BinaryHeap::new();
        let mut roots = 0..groups;
        while order.len() < groups {
            let next = match reached.pop() {
                Some(Reverse((_, g, _))) if done[g] => continue,
                Some(Reverse((length, g, from))) => Some((g, Some((from, f64::from_bits(length))))),
                None => roots.find(|g| !done[*g]).map(|g| (g, None)),
            };
            let Some((next, edge)) = next else { break };
            done[next] = true;
            order.push(next);
            if let Some((from, length)) = edge.filter(|(_, length)| *length <= LONGEST_EDGE) {
                let (here, there) = (geometry.direction(next), geometry.direction(from));
                if sum_length(here, there) < distance(here, there) {
                    geometry.flip(next);
                }
                parent[next] = Some((from, length));
                depth[next] = depth[from] + 1;
            }
            let here = geometry.direction(next);
            let others = near.as_ref().map_or(&all, |near| &near[next]);
            for g in others.iter().map(|g| *g as usize).filter(|g| !done[*g]) {
                let there = geometry.direction(g);
                if dot(here, there).abs() < FAR {
                    continue;
                }
                let d = distance(here, there).min(sum_length(here, there));
                if d < nearest[g] {
                    nearest[g] = d;
                    // Numbers that are not negative are ordered like their bits.
                    reached.push(Reverse((d.to_bits(), g, next)));
                }
            }
        }
        Self { parent, order, depth }
    }

    /// s (G × columns, row-major) to δ, in place.
    pub fn to_differences(&self, s: &mut [f64], columns: usize) {
        for &g in self.order.iter().rev() {
            if let Some((p, theta)) = self.parent[g] {
                for j in 0..columns {
                    s[g * columns + j] = (s[g * columns + j] - s[p * columns + j]) / theta;
                }
            }
        }
    }

    /// s_g as a combination of δ: the edges from g up to its root.
    pub fn path(&self, mut g: usize) -> Vec<(usize, f64)> {
        let mut path = Vec::with_capacity(self.depth[g] + 1);
        while let Some((p, theta)) = self.parent[g] {
            path.push((g, theta));
            g = p;
        }
        path.push((g, 1.0));
        path
    }

    /// s_g − s_f as a combination of δ, without the common part of the two paths, so that nothing cancels.
    pub fn path_difference(&self, g: usize, f: usize) -> Vec<(usize, f64)> {
        let (mut a, mut b) = (g, f);
        let mut terms = Vec::new();
        while a != b {
            let (node, sign) = if self.depth[a] >= self.depth[b] { (&mut a, 1.0) } else { (&mut b, -1.0) };
            match self.parent[*node] {
                Some((p, theta)) => {
                    terms.push((*node, sign * theta));
                    *node = p;
                }
                // Two roots: different trees, the paths have no common part.
                None => {
                    terms.push((a, 1.0));
                    terms.push((b, -1.0));
                    break;
                }
            }
        }
        terms
    }
}
