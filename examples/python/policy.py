"""A policy for a cart with a pole, found by evolution strategies, then copied by a small net whose weights are bounded: what
a controller's certificate wants. The cart is simulated here; nothing but NumPy is needed."""
import numpy as np

import vise

STEPS = 200


def balance(policy, n, seed=0):
    """Steps that each of n carts stays up, and the states that were met. policy: states [n, 4] -> forces in [-10, 10]."""
    rng = np.random.default_rng(seed)
    state, up, seen = rng.uniform(-0.05, 0.05, (n, 4)), np.zeros(n), []
    alive = np.ones(n, dtype=bool)
    for _ in range(STEPS):
        seen.append(state[alive])
        force = np.clip(policy(state), -10, 10)
        _, speed, angle, spin = state.T
        push = (force + 0.05 * spin ** 2 * np.sin(angle)) / 1.1
        turn = (9.8 * np.sin(angle) - np.cos(angle) * push) / (0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1))
        slide = push - 0.05 * turn * np.cos(angle) / 1.1
        state = state + 0.02 * np.stack([speed, slide, spin, turn], axis=1)
        alive &= (abs(state[:, 0]) < 2.4) & (abs(state[:, 2]) < 0.21)
        up += alive
    return up, np.concatenate(seen)


# A linear teacher by evolution strategies.
rng = np.random.default_rng(0)
gains, spread = np.zeros(4), 5.0
for _ in range(60):
    tries = gains + spread * rng.normal(size=(24, 4))
    scores = np.array([balance(lambda s, g=g: s @ g, 4)[0].mean() for g in tries])
    best = tries[np.argsort(-scores)[:6]]
    gains, spread = best.mean(axis=0), max(0.3, spread * 0.95)
    if scores.max() == STEPS and scores.mean() > 0.9 * STEPS:
        break

# The student: every weight within 0.8, rows of at most 1 in length.
_, states = balance(lambda s: s @ gains + rng.normal(0, 3, len(s)), 200, seed=1)
forces = np.clip(states @ gains, -10, 10)
student = vise.Regressor(layers="auto-16-auto", activation="tanh", clamp=0.8, max_norm=1, steps=2000)
student.fit(states, forces)

teacher_up, student_up = balance(lambda s: s @ gains, 100, seed=2)[0], balance(student.predict, 100, seed=2)[0]
norms = max(np.linalg.norm(student.model_[f"{i}.weight"], axis=1).max() for i in (0, 2))
print(f"steps upright, of {STEPS}: teacher {teacher_up.mean():.0f}, student {student_up.mean():.0f}")
print(f"longest row of weights: {norms:.3f} (the bound: 1)")
