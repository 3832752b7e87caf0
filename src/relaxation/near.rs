//! Directions that are nearly parallel, up to sign: exact, by products of blocks, without n² storage.

use super::Geometry;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

/// Directions that one thread takes at a time, and those that their products are formed with at a time: the products stay in
/// the cache. Both fix the order of work whatever the number of threads.
const ROWS: usize = 256;
const TILE: usize = 1024;

/// Calls `visit(state, first, h, cosines)` with the cosines of each block of directions, from `first` on, with every direction
/// h from the one that `from(first)` gives; one state a block, in the order of the blocks.
fn by_blocks<T: Send>(
    geometry: &Geometry,
    from: impl Fn(usize) -> usize + Sync,
    state: impl Fn(usize) -> T + Sync,
    visit: impl Fn(&mut T, usize, usize, &[f64]) + Sync,
) -> Vec<T> {
    let (groups, k) = (geometry.groups(), geometry.rank);
    let rows = |first: usize, count: usize| {
        MatRef::from_row_major_slice(&geometry.directions()[first * k..][..count * k], count, k)
    };
    let block = |first: usize| {
        let count = ROWS.min(groups - first);
        let mut state = state(count);
        let mut cosines = Mat::<f64>::zeros(count, TILE);
        for start in (from(first)..groups).step_by(TILE) {
            let width = TILE.min(groups - start);
            let tile = cosines.as_mut().subcols_mut(0, width);
            matmul(tile, Accum::Replace, rows(first, count), rows(start, width).transpose(), 1.0, Par::Seq);
            for local in 0..width {
                visit(&mut state, first, start + local, cosines.col_as_slice(local));
            }
        }
        state
    };
    (0..groups).step_by(ROWS).collect::<Vec<_>>().into_par_iter().map(block).collect()
}

/// For every α the `count` other base forms whose directions are most nearly opposite, as (cosine, form), the nearest first.
///
/// Of equal cosines the form of the lower index comes first. Time O(G² rank), memory O(G count).
pub(super) fn opposites(geometry: &Geometry, count: usize) -> Vec<Vec<(f64, u32)>> {
    let groups = geometry.groups() as u32;
    if count == 0 {
        return vec![Vec::new(); groups as usize];
    }
    let lists = by_blocks(
        geometry,
        |_| 0,
        |rows| (vec![Vec::<(f64, u32)>::with_capacity(count + 2); rows], vec![f64::INFINITY; rows]),
        |(lists, worst), first, h, cosines| {
            for (local, (&cosine, worst)) in cosines.iter().zip(worst).enumerate() {
                if -cosine.abs() > *worst || first + local == h {
                    continue;
                }
                let list = &mut lists[local];
                list.extend([(cosine, h as u32), (-cosine, h as u32 + groups)]);
                list.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                list.truncate(count);
                if list.len() == count {
                    *worst = list[count - 1].0;
                }
            }
        },
    );
    lists.into_iter().flat_map(|(lists, _)| lists).collect()
}

/// Which directions have a cosine of at least `least` up to sign with each; none where there are more than `most` such pairs.
///
/// Time O(G² rank), memory O(G + most).
pub(super) fn close(geometry: &Geometry, least: f64, most: usize) -> Option<Vec<Vec<u32>>> {
    let groups = geometry.groups();
    let total = std::sync::atomic::AtomicUsize::new(0);
    let order = std::sync::atomic::Ordering::Relaxed;
    // What is found beyond the limit is thrown away whatever the order, so that it need not be kept.
    let found = by_blocks(
        geometry,
        |first| first,
        |_| Vec::new(),
        |pairs: &mut Vec<(u32, u32)>, first, h, cosines| {
            for (local, cosine) in cosines.iter().enumerate() {
                if cosine.abs() >= least && first + local < h && total.fetch_add(1, order) < most {
                    pairs.push(((first + local) as u32, h as u32));
                }
            }
        },
    );
    if total.load(order) > most {
        return None;
    }
    let mut near = vec![Vec::new(); groups];
    for (g, h) in found.into_iter().flatten() {
        near[g as usize].push(h);
        near[h as usize].push(g);
    }
    Some(near)
}
