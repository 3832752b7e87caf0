"""Networks that are trained, given, and of PyTorch."""

import numpy as np
import pytest
import scipy.sparse as sp

import relucert


def objective(network, x, y, gamma):
    u, v = network.U, network.V
    if network.bias:
        x = np.column_stack([x, np.ones(len(x))])
    loss = np.sum((np.maximum(x @ u, 0.0) @ v.T - y) ** 2)
    return 0.5 * loss + 0.5 * gamma * (np.sum(u**2) + np.sum(v**2))


def test_objective_is_rounded_upwards(teacher):
    x, y = teacher
    random = np.random.default_rng(1)
    network = relucert.Network(random.standard_normal((5, 7)), random.standard_normal((2, 7)), bias=True)
    found = network.objective(x, y, 2.0)
    assert found == pytest.approx(objective(network, x, y, 2.0), rel=1e-12)
    assert found >= objective(network, x, y, 2.0) * (1 - 1e-14)
    assert network.objective(sp.csr_array(x), y, 2.0) == pytest.approx(found, rel=1e-12)


def test_predictions(teacher):
    x, _ = teacher
    random = np.random.default_rng(1)
    network = relucert.Network(random.standard_normal((4, 7)), random.standard_normal((2, 7)))
    wanted = np.maximum(x @ network.U, 0.0) @ network.V.T
    assert np.allclose(network.predict(x), wanted, rtol=1e-13)
    assert np.allclose(network.predict(sp.csr_array(x)), wanted, rtol=1e-13)
    assert network.width == 7
    assert "7 neurons" in repr(network)
    with pytest.raises(ValueError, match="features: expected 4 columns"):
        network.predict(x[:, :3])


def test_training_has_the_objective_of_the_command_lines_network(teacher):
    x, y = teacher
    network = relucert.train(x, y, 30.0, bias=True)
    found = relucert.certify(x, y, 30.0, bias=True, tolerance=0.05)
    assert network.bias
    # The first step of the run; the run may improve on it.
    assert found.upper_bound <= network.objective(x, y, 30.0) * (1 + 1e-9)
    again = relucert.train(x, y, 30.0, bias=True, threads=3)
    assert np.array_equal(again.U, network.U)


def test_given_network_is_judged_as_it_came(teacher):
    x, y = teacher
    random = np.random.default_rng(1)
    u, v = random.standard_normal((4, 7)), random.standard_normal((2, 7))
    found = relucert.certify_network(x, y, 30.0, u, v, method="low-rank", tolerance=0.05)
    assert np.array_equal(found.network.U, u)
    assert np.array_equal(found.network.V, v)
    assert found.upper_bound == relucert.Network(u, v).objective(x, y, 30.0)
    trained = relucert.certify(x, y, 30.0, method="low-rank", tolerance=0.05)
    assert found.lower_bound <= trained.upper_bound
    same = relucert.certify_network(x, y, 30.0, relucert.Network(u, v), method="low-rank", tolerance=0.05)
    assert same.lower_bound == found.lower_bound


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ((np.ones((3, 2)), np.ones((2, 2))), "network: expected 4 features and 2 outputs, got U for 3 features"),
        ((np.ones((4, 3)), np.ones((2, 2))), "output weights V|output weights: expected 3 columns"),
        ((np.full((4, 2), np.nan), np.ones((2, 2))), "hidden weights U has a value that is not finite"),
        ((np.ones((4, 2)),), "network: pass U and V"),
        ((np.full((4, 2), 1e200), np.ones((2, 2))), "overflows; divide its weights by a constant"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(teacher, weights, sentence):
    with pytest.raises(ValueError, match=sentence):
        relucert.certify_network(*teacher, 1.0, *weights)


class Tensor:
    """As much of a tensor as is looked at."""

    def __init__(self, values):
        self.values = np.asarray(values, np.float32)

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self.values


class Sequential(list):
    """As much of a module as is looked at."""

    def state_dict(self):
        return {}

    def named_parameters(self):
        return []


def layer(kind, weight=None, bias=None):
    made = type(kind, (), {})()
    made.weight = None if weight is None else Tensor(weight)
    made.bias = None if bias is None else Tensor(bias)
    return made


@pytest.mark.parametrize("hidden_bias", [True, False])
@pytest.mark.parametrize("output_bias", [True, False])
def test_biases_are_folded(teacher, hidden_bias, output_bias):
    x, y = teacher
    random = np.random.default_rng(3)
    first, last = random.standard_normal((6, 4)), random.standard_normal((2, 6))
    first_bias = random.standard_normal(6) if hidden_bias else None
    last_bias = random.standard_normal(2) if output_bias else None
    module = Sequential([layer("Linear", first, first_bias), layer("ReLU"), layer("Linear", last, last_bias)])
    found = relucert.certify_network(x, y, 30.0, module, method="low-rank", tolerance=0.1)
    wanted = np.maximum(x @ first.T + (0 if first_bias is None else first_bias), 0.0) @ last.T
    wanted += 0 if last_bias is None else last_bias
    assert np.allclose(found.network.predict(x), wanted, atol=1e-5)
    weights = sum(np.sum(array**2) for array in (first, last) + (() if first_bias is None else (first_bias,)))
    # The output's bias is one neuron more, of the length that costs least.
    weights += 0 if last_bias is None else 2 * np.linalg.norm(last_bias)
    assert found.upper_bound == pytest.approx(0.5 * np.sum((wanted - y) ** 2) + 15.0 * weights, rel=1e-5)
    assert found.network.bias is (hidden_bias or output_bias)
    assert found.lower_bound <= found.upper_bound


def test_another_module_is_refused(teacher):
    for layers in (["Linear"], ["Linear", "Tanh", "Linear"], ["Linear", "ReLU", "Linear", "Softmax"]):
        with pytest.raises(ValueError, match="expected Sequential"):
            relucert.certify_network(*teacher, 1.0, Sequential([layer(kind) for kind in layers]))


def test_torch_itself(teacher):
    torch = pytest.importorskip(
        "torch", reason="SKIPPED: PyTorch is not installed, its networks are only imitated here"
    )
    x, y = teacher
    module = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 2))
    inputs, outputs = torch.from_numpy(x), torch.from_numpy(y)
    found = relucert.certify_network(inputs, outputs, 30.0, module.double(), method="low-rank", tolerance=0.1)
    with torch.no_grad():
        assert np.allclose(found.network.predict(x), module(inputs).numpy(), rtol=1e-12, atol=1e-12)


def test_torch_is_not_imported():
    import subprocess
    import sys

    code = "import sys, relucert; print(*sorted({'torch', 'sklearn', 'scipy', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "\n"


def test_weight_decay_of_others(teacher):
    """What docs/python.md says of the weight decay of PyTorch's optimisers and of MLPRegressor."""
    from sklearn.neural_network import MLPRegressor

    x, y = teacher
    y, alpha = y[:, 0], 0.5
    standing = {"batch_size": len(x), "max_iter": 1, "solver": "sgd", "learning_rate_init": 1e-12}
    model = MLPRegressor(hidden_layer_sizes=(5,), alpha=alpha, **standing)
    with pytest.warns(UserWarning, match="iterations"):
        model.fit(x, y)
    (u, v), (b, a) = model.coefs_, model.intercepts_
    residual = np.maximum(x @ u + b, 0.0) @ v + a - y[:, None]
    ours = 0.5 * np.sum(residual**2) + 0.5 * alpha * (np.sum(u**2) + np.sum(v**2))
    assert model.loss_ * len(x) == pytest.approx(ours, rel=1e-8)

    torch = pytest.importorskip("torch", reason="SKIPPED: PyTorch is not installed")
    n, c, decay = 240, 2, 0.03
    module = torch.nn.Sequential(torch.nn.Linear(4, 6, bias=False), torch.nn.ReLU(), torch.nn.Linear(6, 2, bias=False))
    module = module.double()
    before = [weight.detach().numpy().copy() for weight in module.parameters()]
    optimiser = torch.optim.SGD(module.parameters(), lr=1.0, weight_decay=decay)
    torch.nn.MSELoss()(module(torch.from_numpy(x)), torch.from_numpy(teacher[1])).backward()
    optimiser.step()
    step = [old - new.detach().numpy() for old, new in zip(before, module.parameters(), strict=True)]
    # The gradient of our objective at γ = decay·n·c/2, divided by n·c/2.
    gamma = decay * n * c / 2
    first, last = before
    active = np.maximum(x @ first.T, 0.0)
    residual = active @ last.T - teacher[1]
    last_gradient = residual.T @ active + gamma * last
    first_gradient = ((residual @ last) * (active > 0)).T @ x + gamma * first
    assert np.allclose(step[0], first_gradient / (n * c / 2), rtol=1e-10)
    assert np.allclose(step[1], last_gradient / (n * c / 2), rtol=1e-10)
