"""The gradient of a neural ODE by the peers, for benches/adjoint.rs: same weights, start, loss, tolerance and error norm.

Needs torch, torchdiffeq, jax, diffrax. `OMP_NUM_THREADS=1` or `2` sets PyTorch's threads.
"""
import json
import math
import os
import statistics
import time

import numpy as np

BATCH, TOL, T1 = 128, 1e-5, 2.0
WIDTHS = [2, 64, 64, 2]


def weights():
    """1.5 sin(k + 1) / sqrt(in), in x out row by row, k running through all layers."""
    k, out = 0, []
    for a, b in zip(WIDTHS, WIDTHS[1:]):
        w = [1.5 * math.sin(k + i + 1) / math.sqrt(a) for i in range(a * b)]
        k += a * b
        out.append(np.array(w, dtype=np.float32).reshape(a, b))
    return out


def start():
    r, c = np.meshgrid(np.arange(BATCH), np.arange(2), indexing="ij")
    return np.sin(0.1 * r + 1.3 * c).astype(np.float32)


def seconds(call, repeats=9, block=0.3):
    call()
    t = time.perf_counter()
    call()
    n = max(1, int(block / (time.perf_counter() - t)))
    times = []
    for _ in range(repeats):
        t = time.perf_counter()
        for _ in range(n):
            call()
        times.append((time.perf_counter() - t) / n)
    return statistics.median(times), min(times)


def report(library, case, times, loss, norm, **more):
    median, least = times
    print(json.dumps(dict(library=library, case=case, ms=round(median * 1e3, 4), ms_min=round(least * 1e3, 4),
                          loss=round(float(loss), 7), gradient_norm=round(float(norm), 6), **more)), flush=True)


def by_torch():
    import torch
    from torchdiffeq import odeint, odeint_adjoint

    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    torch.set_num_threads(threads)

    class Field(torch.nn.Module):
        def __init__(self):
            super().__init__()
            layers, ws = [], weights()
            for i, w in enumerate(ws):
                layer = torch.nn.Linear(*w.shape)
                with torch.no_grad():
                    layer.weight.copy_(torch.from_numpy(w.T.copy()))
                    layer.bias.zero_()
                layers += [layer] + ([torch.nn.Tanh()] if i + 1 < len(ws) else [])
            self.net, self.evals = torch.nn.Sequential(*layers), 0

        def forward(self, t, y):
            self.evals += 1
            return self.net(y)

    field, y0, t = Field(), torch.from_numpy(start()), torch.tensor([0.0, T1])
    for name, solve in [("odeint", odeint), ("odeint_adjoint", odeint_adjoint)]:
        def gradient():
            field.zero_grad(set_to_none=True)
            loss = solve(field, y0, t, method="dopri5", rtol=TOL, atol=TOL)[-1].square().mean()
            loss.backward()
            return loss

        field.evals = 0
        loss = gradient()
        norm = math.sqrt(sum(float(p.grad.square().sum()) for p in field.parameters()))
        evals = field.evals
        report("torchdiffeq", f"{name}_dopri5", seconds(gradient), loss.detach(), norm, evals=evals, threads=threads)


def by_diffrax():
    import diffrax
    import jax
    import jax.numpy as jnp

    y0 = jnp.asarray(start())
    params = [(jnp.asarray(w), jnp.zeros(w.shape[1])) for w in weights()]

    def field(t, y, params):
        for i, (w, b) in enumerate(params):
            y = y @ w + b
            if i + 1 < len(params):
                y = jnp.tanh(y)
        return y

    adjoints = [("recursive_checkpoint", diffrax.RecursiveCheckpointAdjoint()), ("backsolve", diffrax.BacksolveAdjoint())]
    for solver in [diffrax.Tsit5(), diffrax.Dopri5()]:
        for name, adjoint in adjoints:
            def loss(params):
                sol = diffrax.diffeqsolve(diffrax.ODETerm(field), solver, 0.0, T1, None, y0, params, adjoint=adjoint,
                                          stepsize_controller=diffrax.PIDController(rtol=TOL, atol=TOL))
                return jnp.mean(sol.ys[-1] ** 2), sol.stats["num_steps"]

            gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))
            (value, steps), g = gradient(params)
            norm = math.sqrt(sum(float(jnp.sum(x * x)) for x in jax.tree_util.tree_leaves(g)))
            case = f"{name}_{type(solver).__name__.lower()}"
            report("diffrax", case, seconds(lambda: jax.block_until_ready(gradient(params))), value, norm, steps=int(steps))


if __name__ == "__main__":
    by_torch()
    by_diffrax()
