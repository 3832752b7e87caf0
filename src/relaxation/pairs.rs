//! The constraints of the relaxation as products of two linear forms.

use super::near::opposites;
use super::{Cut, LiftedForms, Lifting};

/// Forms whose directions oppose each other to within this distance are written as a difference.
const NEAR: f64 = 0.5;

/// Rows of a block of products of forms; fixes the order of work whatever the number of threads.
pub(super) const BLOCK: usize = 256;

/// A nonnegative pair: i < j with ⟨p_i, p_j⟩ ≥ 0; indices below 2G mean base forms, then come the cuts.
pub type PairKey = (u32, u32);

/// Σ_t ⟨p_{a_t}, p_{b_t}⟩ over one or two terms; kept small, because there may be millions.
#[derive(Clone, Copy, Debug)]
pub struct Constraint {
    a: [u32; 2],
    b: [u32; 2],
    /// One or two.
    count: u8,
}

impl Constraint {
    fn single(a: usize, b: usize) -> Self {
        Self { a: [a as u32; 2], b: [b as u32; 2], count: 1 }
    }

    fn sum(a: [usize; 2], b: [usize; 2]) -> Self {
        Self { a: a.map(|form| form as u32), b: b.map(|form| form as u32), count: 2 }
    }

    /// The terms: left form, right form and sign, which is 1.
    pub fn terms(&self) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        (0..usize::from(self.count)).map(|t| (self.a[t] as usize, self.b[t] as usize, 1.0))
    }
}

/// Equalities and active pairs with their multipliers, in normalised form.
///
/// A pair of nearly opposite directions i, j at distance t is kept as ⟨p_i, p_j − p̄_i⟩/t, where p̄_i is the
/// complement of p_i: the same constraint, because ⟨p_i, p̄_i⟩ = 0, but of order one. The equalities
/// ⟨α_k, β_k⟩ = 0 are kept as differences along the forest for the same reason (`docs/mathematics.md`).
#[derive(Clone, Debug)]
pub struct PairSet {
    /// Base forms first, then the difference forms that the constraints use.
    pub forms: LiftedForms,
    /// One equality a direction.
    pub equalities: Vec<Constraint>,
    /// Multipliers of the equalities.
    pub equality_multipliers: Vec<f64>,
    /// The pairs held, ascending.
    pub keys: Vec<PairKey>,
    /// Their normalised constraints.
    pub pairs: Vec<Constraint>,
    /// Multipliers of the normalised constraints, at least zero.
    pub multipliers: Vec<f64>,
    /// Distance t of the pairs kept as differences, 0 of the others.
    near: Vec<f64>,
    /// Representations whose forms take part, after the base forms in the numbering of the keys.
    cuts: Vec<Cut>,
    /// What the form of each cut was divided by.
    cut_scale: Vec<f64>,
    /// The forms of the cuts begin here, the differences of the pairs at `permanent_forms`.
    first_cut: usize,
    permanent_forms: usize,
}

impl PairSet {
    /// The equalities, and the pairs of the `neighbours` most nearly opposite forms of each form.
    pub fn new(lifting: &Lifting, neighbours: usize) -> Self {
        let groups = lifting.groups();
        let mut forms = lifting.base.clone();
        let mut equalities = Vec::with_capacity(groups);
        for g in 0..groups {
            equalities.push(match lifting.forest.parent[g] {
                None => Constraint::single(g, g + groups),
                Some((p, _)) => {
                    // (α_gβ_g − α_pβ_p)/θ = β_g (α_g − α_p)/θ + α_p (β_g − β_p)/θ
                    let a = difference_form(lifting, &mut forms, g, p + groups);
                    let b = difference_form(lifting, &mut forms, g + groups, p);
                    Constraint::sum([g + groups, p], [a, b])
                }
            });
        }
        let permanent_forms = forms.len();
        let mut set = Self {
            forms,
            equality_multipliers: vec![0.0; equalities.len()],
            equalities,
            keys: Vec::new(),
            pairs: Vec::new(),
            multipliers: Vec::new(),
            near: Vec::new(),
            cuts: Vec::new(),
            cut_scale: Vec::new(),
            first_cut: permanent_forms,
            permanent_forms,
        };
        set.add(lifting, &nearest_opposites(lifting, neighbours));
        set
    }

    /// The equalities and these pairs and cuts with their normalised multipliers; none where they do not fit the lifted
    /// problem.
    pub(crate) fn restored(
        lifting: &Lifting,
        keys: Vec<PairKey>,
        cuts: Vec<Cut>,
        multipliers: Vec<f64>,
        equality_multipliers: Vec<f64>,
    ) -> Option<Self> {
        if !cuts.iter().all(|cut| cut.fits(lifting)) {
            return None;
        }
        let (groups, base) = (lifting.groups(), lifting.base.len());
        let forms = base + cuts.len();
        // α and β of one direction have an equality instead.
        let opposite = |i: usize, j: usize| j < base && j == i + groups;
        let sound = |&(i, j): &PairKey| i < j && (j as usize) < forms && !opposite(i as usize, j as usize);
        let ascending = keys.windows(2).all(|pair| pair[0] < pair[1]);
        let mut set = Self::new(lifting, 0);
        let counts = multipliers.len() == keys.len() && equality_multipliers.len() == set.equalities.len();
        if !(ascending && counts && keys.iter().all(sound)) {
            return None;
        }
        set.equality_multipliers = equality_multipliers;
        set.add_cuts(lifting, cuts);
        set.rebuild(lifting, keys, multipliers);
        Some(set)
    }

    /// Number of pairs held.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no pair is held.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Adds pairs with multiplier zero; those already held keep theirs.
    pub fn add(&mut self, lifting: &Lifting, keys: &[PairKey]) {
        let mut all: Vec<PairKey> = self.keys.iter().chain(keys).copied().collect();
        all.sort_unstable();
        all.dedup();
        // Both are ascending.
        let mut held = self.keys.iter().zip(&self.multipliers).peekable();
        let multiplier = |key: &PairKey| held.next_if(|(next, _)| *next == key).map_or(0.0, |(_, m)| *m);
        let multipliers = all.iter().map(multiplier).collect();
        self.rebuild(lifting, all, multipliers);
    }

    /// Keeps the pairs for which the flag is set.
    pub fn retain(&mut self, lifting: &Lifting, keep: &[bool]) {
        let kept = |(i, _): &(usize, _)| keep[*i];
        let keys = self.keys.iter().copied().enumerate().filter(kept).map(|(_, k)| k).collect();
        let kept = |(i, _): &(usize, _)| keep[*i];
        let multipliers = self.multipliers.iter().copied().enumerate().filter(kept).map(|(_, m)| m).collect();
        self.rebuild(lifting, keys, multipliers);
    }

    /// These constraints with the multipliers λ = −`equality_weight` of the equalities, and those given of the pairs.
    pub fn updated(&self, equality_weight: &[f64], multipliers: &[f64]) -> Self {
        let equality_multipliers = equality_weight.iter().map(|w| -w).collect();
        Self { equality_multipliers, multipliers: multipliers.to_vec(), ..self.clone() }
    }

    /// Takes over the multipliers of what [`PairSet::updated`] gave of these constraints.
    pub(crate) fn take_multipliers(&mut self, updated: &Self) {
        self.equality_multipliers.clone_from(&updated.equality_multipliers);
        self.multipliers.clone_from(&updated.multipliers);
    }

    /// The cuts, f-th of which keys call 2G + f.
    pub fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    /// Where the form of a key's index is found among `forms`.
    pub(super) fn form(&self, lifting: &Lifting, index: usize) -> usize {
        index.checked_sub(lifting.base.len()).map_or(index, |cut| self.first_cut + cut)
    }

    /// Adds cuts, which no pair has yet, after those there are.
    pub fn add_cuts(&mut self, lifting: &Lifting, cuts: impl IntoIterator<Item = Cut>) {
        self.forms.truncate(self.permanent_forms);
        for cut in cuts {
            self.cut_scale.push(cut.push_form(lifting, &mut self.forms));
            self.cuts.push(cut);
        }
        self.permanent_forms = self.forms.len();
        let (keys, multipliers) = (std::mem::take(&mut self.keys), std::mem::take(&mut self.multipliers));
        self.rebuild(lifting, keys, multipliers);
    }

    /// Drops the cuts that no pair held uses.
    pub fn drop_idle_cuts(&mut self, lifting: &Lifting) {
        let base = lifting.base.len();
        let mut used = vec![false; self.cuts.len()];
        for (i, j) in &self.keys {
            [i, j].into_iter().filter(|k| **k as usize >= base).for_each(|k| used[*k as usize - base] = true);
        }
        if used.iter().all(|used| *used) {
            return;
        }
        let mut place = vec![0; used.len()];
        let mut kept = Vec::new();
        for (f, cut) in std::mem::take(&mut self.cuts).into_iter().enumerate().filter(|(f, _)| used[*f]) {
            place[f] = (base + kept.len()) as u32;
            kept.push(cut);
        }
        for key in &mut self.keys {
            for k in [&mut key.0, &mut key.1] {
                if let Some(f) = (*k as usize).checked_sub(base) {
                    *k = place[f];
                }
            }
        }
        self.cut_scale.clear();
        self.permanent_forms = self.first_cut;
        self.add_cuts(lifting, kept);
    }

    fn rebuild(&mut self, lifting: &Lifting, keys: Vec<PairKey>, multipliers: Vec<f64>) {
        self.forms.truncate(self.permanent_forms);
        self.pairs.clear();
        self.near.clear();
        for &(i, j) in &keys {
            let (i, j) = (i as usize, j as usize);
            if j >= lifting.base.len() {
                let (a, b) = (self.form(lifting, i), self.form(lifting, j));
                self.pairs.push(Constraint::single(a, b));
                self.near.push(0.0);
                continue;
            }
            let t = opposition(lifting, i, j);
            if t < NEAR {
                let form = difference_form(lifting, &mut self.forms, j, i);
                self.pairs.push(Constraint::single(i, form));
                self.near.push(t);
            } else {
                self.pairs.push(Constraint::single(i, j));
                self.near.push(0.0);
            }
        }
        self.keys = keys;
        self.multipliers = multipliers;
    }

    /// The multipliers in plain terms: y_g of ⟨α_g, β_g⟩ and N of ⟨p_i, p_j⟩, one value a key; the form of a cut is then
    /// Σ|b_i| s_i − s_k over the unit directions.
    pub fn plain_multipliers(&self, lifting: &Lifting) -> (Vec<f64>, Vec<f64>) {
        let groups = lifting.groups();
        let mut y = vec![0.0; groups];
        for (g, &value) in self.equality_multipliers.iter().enumerate() {
            match lifting.forest.parent[g] {
                None => y[g] += value,
                Some((p, theta)) => {
                    y[g] += value / theta;
                    y[p] -= value / theta;
                }
            }
        }
        let plain = (0..self.len())
            .map(|e| match self.near[e] {
                0.0 => {
                    let (i, j) = self.keys[e];
                    let scale =
                        |k: u32| (k as usize).checked_sub(2 * groups).map_or(1.0, |f| self.cut_scale[f]);
                    self.multipliers[e] / (scale(i) * scale(j))
                }
                t => {
                    y[self.keys[e].0 as usize % groups] -= self.multipliers[e] / t;
                    self.multipliers[e] / t
                }
            })
            .collect();
        (y, plain)
    }
}

/// Signed direction of a base form: x for α, −x for β.
pub(super) fn signed_direction(lifting: &Lifting, form: usize) -> (&[f64], f64) {
    let groups = lifting.groups();
    (lifting.geometry.direction(form % groups), if form < groups { 1.0 } else { -1.0 })
}

/// Length of the sum of the signed directions: zero when one form is the complement of the other.
fn opposition(lifting: &Lifting, i: usize, j: usize) -> f64 {
    let ((x, a), (y, b)) = (signed_direction(lifting, i), signed_direction(lifting, j));
    x.iter().zip(y).map(|(x, y)| (a * x + b * y).powi(2)).sum::<f64>().sqrt()
}

/// Appends (p_j − p̄_i)/t with p̄_i the complement of p_i, computed along the forest so that nothing cancels.
fn difference_form(lifting: &Lifting, forms: &mut LiftedForms, j: usize, i: usize) -> usize {
    let groups = lifting.groups();
    let t = opposition(lifting, i, j);
    let ((x, a), (y, b)) = (signed_direction(lifting, i), signed_direction(lifting, j));
    let hidden: Vec<f64> = x.iter().zip(y).map(|(x, y)| 0.5 * (a * x + b * y) / t).collect();
    let tail = lifting.forest.path_difference(j % groups, i % groups);
    forms.push(hidden, tail.into_iter().map(|(g, c)| (g, 0.5 * c / t)))
}

/// For every base form the `count` forms most nearly opposite to it.
fn nearest_opposites(lifting: &Lifting, count: usize) -> Vec<PairKey> {
    let groups = lifting.groups() as u32;
    let complement = |f: u32| (f + groups) % (2 * groups);
    let mut keys = Vec::new();
    // Only of α: the pairs of β mirror these with both forms complemented.
    for (g, list) in (0..).zip(opposites(&lifting.geometry, count)) {
        for (_, f) in list {
            for (i, j) in [(g, f), (complement(g), complement(f))] {
                keys.push((i.min(j), i.max(j)));
            }
        }
    }
    keys
}
