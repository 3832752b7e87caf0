//! The search for neurons in a plane or on a line, which is exact.

use super::candidate::Candidate;
use super::coordinates::Coordinates;
use super::whitened::Whitened;
use faer::MatRef;

/// Every direction of a plane (or a line): between two breakpoints the squared ratio is a quadratic form.
pub(super) fn sweep(at: &Coordinates, space: &Whitened, residual: MatRef<'_, f64>) -> Vec<Candidate> {
    let (n, c, k) = (at.samples(), residual.ncols(), at.rank());
    // coordinates in which ‖u‖ is the Euclidean norm
    let scale: Vec<f64> = space.metric.iter().map(|m| m.sqrt()).collect();
    let row = |i: usize| {
        let second = if k == 2 { space.features[(i, 1)] / scale[1] } else { 0.0 };
        [space.features[(i, 0)] / scale[0], second]
    };
    let candidate = |angle: f64, squared: f64| {
        let unit = [angle.cos(), angle.sin()];
        let direction = (0..k).map(|j| unit[j] / scale[j]).collect();
        Candidate { direction, ratio: squared.max(0.0).sqrt() / at.weight_decay }
    };
    // (angle, sample, switches on)
    let mut events: Vec<(f64, usize, bool)> = Vec::with_capacity(2 * n);
    for i in 0..n {
        let [a, b] = row(i);
        if a != 0.0 || b != 0.0 {
            let centre = b.atan2(a);
            let turn = std::f64::consts::TAU;
            let quarter = std::f64::consts::FRAC_PI_2;
            events.push(((centre - quarter).rem_euclid(turn), i, true));
            events.push(((centre + quarter).rem_euclid(turn), i, false));
        }
    }
    events.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let Some(last) = events.last() else { return Vec::new() };
    // moments P = Xᵀ D W (2 × c) of the samples active just after the last event
    let wrap = events[0].0 + std::f64::consts::TAU;
    let start = 0.5 * (last.0 + wrap);
    let mut moments = vec![[0.0f64; 2]; c];
    let toggle = |moments: &mut Vec<[f64; 2]>, i: usize, sign: f64| {
        let [a, b] = row(i);
        for (j, p) in moments.iter_mut().enumerate() {
            let w = sign * residual[(i, j)];
            p[0] += a * w;
            p[1] += b * w;
        }
    };
    for i in 0..n {
        let [a, b] = row(i);
        if a * start.cos() + b * start.sin() > 0.0 {
            toggle(&mut moments, i, 1.0);
        }
    }
    let mut found = Vec::new();
    let mut from = last.0 - std::f64::consts::TAU;
    for &(to, sample, on) in &events {
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for p in &moments {
            xx += p[0] * p[0];
            xy += p[0] * p[1];
            yy += p[1] * p[1];
        }
        let form = |t: f64| {
            let (s, c) = t.sin_cos();
            xx * c * c + 2.0 * xy * s * c + yy * s * s
        };
        // the crest repeats every half turn
        let crest = 0.5 * (2.0 * xy).atan2(xx - yy);
        let half = std::f64::consts::PI;
        let inside = from + (crest - from).rem_euclid(half);
        for angle in [from, to, inside] {
            if angle <= to {
                found.push(candidate(angle, form(angle)));
            }
        }
        toggle(&mut moments, sample, if on { 1.0 } else { -1.0 });
        from = to;
    }
    found
}
