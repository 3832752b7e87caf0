//! An order of elimination that fills in little. Nothing rests on it but time and memory.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::sparse::SymbolicSparseColMatRef;
use faer::sparse::linalg::amd;

/// The approximate minimum degree order of n nodes that edges join, each in either direction and any number of times.
pub(crate) fn least_degree(n: usize, mut edges: Vec<(usize, usize)>) -> Option<Vec<usize>> {
    edges.iter_mut().for_each(|edge| *edge = (edge.0.max(edge.1), edge.0.min(edge.1)));
    edges.sort_unstable();
    edges.dedup();
    let mut start = vec![0usize; n + 1];
    edges.iter().for_each(|edge| start[edge.0 + 1] += 1);
    (0..n).for_each(|i| start[i + 1] += start[i]);
    let rows: Vec<usize> = edges.iter().map(|edge| edge.1).collect();
    let upper = SymbolicSparseColMatRef::new_checked(n, n, &start, None, &rows);
    let (mut order, mut place) = (vec![0usize; n], vec![0usize; n]);
    let mut buffer = MemBuffer::new(amd::order_scratch::<usize>(n, rows.len()));
    amd::order(&mut order, &mut place, upper, amd::Control::default(), MemStack::new(&mut buffer)).ok()?;
    Some(order)
}
