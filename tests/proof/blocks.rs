//! Certificates made of blocks: what they prove, and what is refused.

use crate::common::gaussian;
use faer::Mat;
use relucert::certificate::{Certificate, Grade, Partition, prove};
use relucert::dual::DualPoint;
use relucert::interior_point::{ReferenceSettings, solve_lifted};
use relucert::io::{load_certificate, save_certificate, save_problem, verify};
use relucert::relaxation::Lifting;
use relucert::repair::{certify_blocks, certify_dual, dual_point};
use relucert::{Control, TrainingProblem};

/// The interior-point solver's dual point and the value of the relaxation.
fn solved(problem: &TrainingProblem) -> (DualPoint, f64) {
    let lifting = Lifting::new(problem).unwrap();
    let solution =
        solve_lifted(&lifting, &ReferenceSettings::default(), &Control::new(), &mut |_| ()).unwrap();
    let residual: Vec<f64> = solution.fit_residual.iter().map(|w| -w).collect();
    (dual_point(problem, &lifting, &solution.pairs, &residual), solution.value)
}

fn problem() -> TrainingProblem {
    let (x, noise) = (gaussian(3, 24, 3), gaussian(4, 24, 2));
    let y = Mat::from_fn(24, 2, |i, j| x[(i, j)].max(0.0) + 0.3 * noise[(i, j)]);
    TrainingProblem::new(x, y, 1.0).unwrap()
}

/// Three blocks of unlike sizes, not in order.
fn blocks() -> Vec<Vec<usize>> {
    vec![(0..24).rev().filter(|i| i % 3 == 0).collect(), vec![1, 2, 4, 5, 7], {
        (8..24).filter(|i| i % 3 != 0).collect()
    }]
}

fn duals(problem: &TrainingProblem, blocks: &[Vec<usize>]) -> Vec<DualPoint> {
    let share = problem.weight_decay() / blocks.len() as f64;
    blocks.iter().map(|samples| solved(&problem.subset(samples, share).unwrap()).0).collect()
}

#[test]
fn the_bound_is_the_sum_of_the_blocks_and_below_the_relaxation() {
    let problem = problem();
    let (blocks, (_, value)) = (blocks(), solved(&problem));
    let duals = duals(&problem, &blocks);
    let (certificate, proof) = certify_blocks(&problem, &blocks, duals.clone()).unwrap();
    assert_eq!((proof.grade(), certificate.blocks()), (Grade::Verified, 3));
    let sum: f64 = blocks
        .iter()
        .zip(&duals)
        .map(|(samples, dual)| {
            let block = problem.subset(samples, problem.weight_decay() / 3.0).unwrap();
            certify_dual(&block, dual).unwrap().1.lower_bound().value()
        })
        .sum();
    assert!((proof.lower_bound().value() - sum).abs() < 1e-9 * sum, "{} {sum}", proof.lower_bound().value());
    assert!(proof.lower_bound() <= value * (1.0 + 1e-6), "{} {value}", proof.lower_bound());
    assert!(proof.lower_bound() > 0.3 * value, "{} {value}", proof.lower_bound());
    // The stacked point is an ordinary dual point: with its weight decay in one piece it is feasible too.
    let whole = prove(&problem, &Certificate::new(certificate.dual().clone())).unwrap();
    assert_eq!(whole.lower_bound(), proof.lower_bound());
}

#[test]
fn one_block_is_the_whole_problem() {
    let problem = problem();
    let (dual, value) = solved(&problem);
    let (certificate, proof) = certify_blocks(&problem, &[(0..24).collect()], vec![dual]).unwrap();
    assert!(proof.lower_bound() > value * (1.0 - 1e-4));
    assert_eq!(certificate.blocks(), 1);
}

#[test]
fn threads_do_not_change_a_bit() {
    let problem = problem();
    let (blocks, duals) = (blocks(), duals(&problem, &blocks()));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| certify_blocks(&problem, &blocks, duals.clone()).unwrap())
    };
    let ((one, first), (two, second)) = (run(1), run(2));
    assert_eq!(first.lower_bound().value().to_bits(), second.lower_bound().value().to_bits());
    assert_eq!((one.dual().w.clone(), &one.dual().y), (two.dual().w.clone(), &two.dual().y));
}

#[test]
fn a_block_without_a_dual_point_counts_nothing() {
    let problem = problem();
    let (blocks, mut duals) = (blocks(), duals(&problem, &blocks()));
    let all = certify_blocks(&problem, &blocks, duals.clone()).unwrap().1.lower_bound();
    duals[1] = DualPoint::zero(5, 2);
    let (certificate, proof) = certify_blocks(&problem, &blocks, duals).unwrap();
    assert_eq!(proof.grade(), Grade::Verified);
    assert!(proof.lower_bound() > 0.0 && proof.lower_bound() < all);
    assert!([1, 2, 4, 5, 7].iter().all(|&i| certificate.dual().w[(i, 0)] == 0.0));
}

#[test]
fn sparse_features_are_split_alike() {
    let problem = problem();
    let mut triplets = sprs::TriMat::new((24, 3));
    for i in 0..24 {
        (0..3).for_each(|j| triplets.add_triplet(i, j, problem.features()[(i, j)]));
    }
    let (blocks, duals) = (blocks(), duals(&problem, &blocks()));
    let bound = |problem: &TrainingProblem| {
        certify_blocks(problem, &blocks, duals.clone()).unwrap().1.lower_bound().value().to_bits()
    };
    for features in [triplets.to_csr::<usize>(), triplets.to_csc()] {
        let sparse = TrainingProblem::new(features, problem.targets().to_owned(), 1.0).unwrap();
        assert_eq!(bound(&sparse), bound(&problem));
    }
}

/// A certificate with head matrices: proved at nine tenths of the shares, the head matrices move less than the rest.
fn with_heads(problem: &TrainingProblem) -> (DualPoint, Partition) {
    let blocks = blocks();
    let partition = Partition::from_blocks(&blocks).unwrap();
    let share = problem.weight_decay() / 3.0;
    let mut whole = DualPoint::zero(24, 2);
    for samples in partition.members() {
        let block = problem.subset(&samples, 0.9 * share).unwrap();
        let (certificate, _) = certify_dual(&block, &solved(&block).0).unwrap();
        let part = certificate.dual();
        for (local, &i) in samples.iter().enumerate() {
            whole.y[i] = part.y[local];
            (0..2).for_each(|j| whole.w[(i, j)] = part.w[(local, j)]);
        }
        let size = samples.len();
        let global = |form: usize| samples[form % size] + 24 * (form / size);
        whole.pairs.extend(part.pairs.iter().map(|pair| pair.map(global)));
        whole.n.extend(&part.n);
    }
    // Norm at most that of the sum of the absolute values: 5 · 0.018 share < 0.1 share.
    let draw = |seed: u64| {
        let g = gaussian(seed, 5, 5);
        Mat::from_fn(5, 5, |i, j| 0.009 * share * (g[(i, j)] + g[(j, i)]).clamp(-2.0, 2.0))
    };
    let (first, second) = (draw(8), draw(9));
    let third = -(&first + &second);
    let third = Mat::from_fn(5, 5, |i, j| third[(i, j)].clamp(-0.018 * share, 0.018 * share));
    // The clamped third must still cancel the others: these are cut down to what it left.
    let second = -(&first + &third);
    (whole, partition.with_heads(vec![first, second, third]).unwrap())
}

#[test]
fn head_matrices_move_the_weight_decay_between_blocks() {
    let problem = problem();
    let (dual, partition) = with_heads(&problem);
    let certificate = Certificate::of_blocks(dual.clone(), partition.clone());
    let proof = prove(&problem, &certificate).unwrap();
    let (inner, square) = dual.inner_products(&problem);
    assert!(proof.lower_bound() > 0.0);
    assert!((proof.lower_bound().value() - (inner - 0.5 * square)).abs() < 1e-9 * inner);
    let heads = partition.heads().unwrap().to_vec();
    let refused = |change: &dyn Fn(&mut Vec<Mat<f64>>)| {
        let mut heads = heads.clone();
        change(&mut heads);
        let partition = Partition::new(partition.block().to_vec()).unwrap().with_heads(heads);
        let outcome =
            partition.and_then(|partition| prove(&problem, &Certificate::of_blocks(dual.clone(), partition)));
        outcome.map(|proof| proof.lower_bound()).unwrap_err().to_string()
    };
    let message = refused(&|heads| heads[1][(0, 0)] += 1e-8);
    assert!(message.contains("add up"), "{message}");
    let message = refused(&|heads| {
        heads[0][(4, 1)] += 1e-8;
        heads[0][(1, 4)] += 1e-8;
    });
    assert!(message.contains("add up"), "{message}");
    let message = refused(&|heads| heads[2][(1, 2)] += 1e-12);
    assert!(message.contains("symmetric"), "{message}");
    let message = refused(&|heads| heads[0][(1, 1)] = f64::NAN);
    assert!(message.contains("not finite"), "{message}");
    let message = refused(&|heads| {
        heads.pop();
    });
    assert!(message.contains("3 matrices"), "{message}");
    let message = refused(&|heads| heads.iter_mut().for_each(|head| *head = Mat::zeros(4, 4)));
    assert!(message.contains("5 × 5"), "{message}");
    // Nothing is left of the third block's weight decay.
    let message = refused(&|heads| heads[2] -= 0.4 * Mat::<f64>::identity(5, 5));
    assert!(message.contains("block 2"), "{message}");
}

#[test]
fn wrong_blocks_are_refused() {
    let problem = problem();
    let (blocks, duals) = (blocks(), duals(&problem, &blocks()));
    let (certificate, _) = certify_blocks(&problem, &blocks, duals.clone()).unwrap();
    let (dual, block) = (certificate.dual(), certificate.partition().unwrap().block());
    let refused = |block: Vec<usize>| {
        let outcome = Partition::new(block)
            .and_then(|partition| prove(&problem, &Certificate::of_blocks(dual.clone(), partition)));
        outcome.map(|proof| proof.lower_bound()).unwrap_err().to_string()
    };
    assert!(refused(block[..23].to_vec()).contains("24 values"));
    assert!(refused([block, &[0]].concat()).contains("24 values"));
    let mut moved = block.to_vec();
    moved[dual.pairs[0][0] % 24] = (moved[dual.pairs[0][0] % 24] + 1) % 3;
    assert!(refused(moved).contains("joins blocks"));
    let mut far = block.to_vec();
    far[0] = 1000;
    assert!(refused(far).contains("blocks of"));
    assert!(refused(block.iter().map(|k| k + k / 2).collect()).contains("no sample is in block 2"));
    // More blocks than the point was made for leave each of them less weight decay.
    assert!(
        refused(block.iter().enumerate().map(|(i, k)| if i == 3 { 3 } else { *k }).collect())
            .contains("refused")
    );

    for wrong in [vec![vec![0, 1], vec![1, 2]], vec![vec![0], vec![]], vec![vec![0, 24]]] {
        let zeros = wrong.iter().map(|b| DualPoint::zero(b.len(), 2)).collect();
        assert!(certify_blocks(&problem, &wrong, zeros).is_err(), "{wrong:?}");
    }
    assert!(certify_blocks(&problem, &blocks, duals[..2].to_vec()).is_err());
    assert!(certify_blocks(&problem, &blocks, vec![DualPoint::zero(8, 2); 3]).is_err());
}

#[test]
fn blocks_and_heads_survive_the_files() {
    let problem = problem();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("certificate.npz");
    save_problem(&folder.path().join("problem.npz"), &problem).unwrap();
    let (blocks, duals) = (blocks(), duals(&problem, &blocks()));
    let (certificate, proof) = certify_blocks(&problem, &blocks, duals).unwrap();
    save_certificate(&path, &certificate).unwrap();
    assert_eq!(verify(folder.path()).unwrap().lower_bound(), proof.lower_bound());
    assert!(load_certificate(&path).unwrap().partition().unwrap().heads().is_none());

    let (dual, partition) = with_heads(&problem);
    let certificate = Certificate::of_blocks(dual, partition.clone());
    let bound = prove(&problem, &certificate).unwrap().lower_bound();
    save_certificate(&path, &certificate).unwrap();
    assert_eq!(verify(folder.path()).unwrap().lower_bound(), bound);
    let again = load_certificate(&path).unwrap();
    let again = again.partition().unwrap();
    assert_eq!((again.block(), again.heads()), (partition.block(), partition.heads()));
}
