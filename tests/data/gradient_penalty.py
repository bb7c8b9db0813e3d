"""Gradient penalties and their parameter gradients by PyTorch's double backward, in float64.

Prints the table in tests/game_penalties.rs: `python gradient_penalty.py` (torch 2.15). The critic has 2 inputs, hidden layers of 4
and 3 units and one output; theta[k] = 0.6 sin(1.7 k + 0.4), layer by layer, weights (inputs x outputs, row by row) before
biases; row i of the batch is (cos(i), sin(2 i + 1)), i = 0..4.
"""
import torch

torch.set_default_dtype(torch.float64)
SIZES = [2, 4, 3, 1]
N = sum((i + 1) * o for i, o in zip(SIZES, SIZES[1:]))


def critic(theta, x, activation):
    at = 0
    for layer, (i, o) in enumerate(zip(SIZES, SIZES[1:])):
        w, b = theta[at : at + i * o].reshape(i, o), theta[at + i * o : at + (i + 1) * o]
        at += (i + 1) * o
        x = x @ w + b
        if layer < 2:
            x = activation(x)
    return x


PENALTIES = {
    "wgan_gp(10)": lambda n: 10 * (n - 1) ** 2,
    "zero_centred(0.5)": lambda n: 0.5 * n**2,
    "wgan_div(2, 6)": lambda n: 2 * n**6,
}
for name, activation in (("Tanh", torch.tanh), ("Silu", torch.nn.functional.silu), ("Relu", torch.relu)):
    for penalty, phi in PENALTIES.items():
        theta = (0.6 * torch.sin(1.7 * torch.arange(N) + 0.4)).requires_grad_()
        i = torch.arange(5)
        x = torch.stack([torch.cos(i), torch.sin(2 * i + 1)], 1).requires_grad_()
        (slope,) = torch.autograd.grad(critic(theta, x, activation).sum(), x, create_graph=True)
        value = phi(slope.norm(dim=1)).mean()
        (g,) = torch.autograd.grad(value, theta, allow_unused=True)
        numbers = [value.item(), g[0].item(), g[7].item(), g[9].item(), g[14].item(), g[25].item(), g[28].item(), g.abs().sum().item()]
        print(f"(Activation::{name}, \"{penalty}\", [" + ", ".join("%.15e" % v for v in numbers) + "]),")
