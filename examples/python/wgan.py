"""A Wasserstein GAN in two dimensions: a critic of Vise, whose weights stay in a box after every step, and a generator of
PyTorch. The critic's loss is written here; tensors go to Vise and back by DLPack, without a copy."""
import torch

import vise

torch.manual_seed(0)
torch.set_num_threads(1)
BOX, BATCH, CRITIC_STEPS, ROUNDS = 0.1, 128, 5, 200


def real(n):
    """Points on a circle."""
    angle = 2 * torch.pi * torch.rand(n)
    return torch.stack([angle.cos(), angle.sin()], dim=1) + 0.02 * torch.randn(n, 2)


generator = torch.nn.Sequential(torch.nn.Linear(2, 64), torch.nn.ReLU(), torch.nn.Linear(64, 64), torch.nn.ReLU(),
                                torch.nn.Linear(64, 2))
optimizer = torch.optim.RMSprop(generator.parameters(), lr=1e-3)
critic = vise.Trainer(vise.Model([2, 64, 64, 1], seed=1), loss="external", optimizer="rmsprop", lr=2e-3, clamp=BOX)

for _ in range(ROUNDS):
    for _ in range(CRITIC_STEPS):
        with torch.no_grad():
            both = torch.cat([real(BATCH), generator(torch.randn(BATCH, 2))])
        # Minimise mean(critic(fake)) - mean(critic(real)): its gradient by each score is a constant.
        delta = torch.cat([torch.full((BATCH, 1), -1 / BATCH), torch.full((BATCH, 1), 1 / BATCH)])
        critic.step_external(both, delta)

    judge = critic.model.to_torch()  # for the gradient by the critic's input
    fake = generator(torch.randn(BATCH, 2))
    loss = -judge(fake).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

with torch.no_grad():
    radius = generator(torch.randn(2000, 2)).norm(dim=1)
weights = max(abs(critic.model[f"{i}.weight"]).max() for i in (0, 2, 4))
print(f"radius of what is generated: {radius.mean():.2f} +- {radius.std():.2f} (the circle: 1)")
print(f"largest weight of the critic: {weights:.3g} (the box: {BOX})")
