"""A critic of sequences with a gradient penalty: the gradient of a gradient through an LSTM."""

# ruff: noqa - in the style in which such scripts are written

import torch
import torch.nn as nn
from torch import autograd, optim

torch.manual_seed(1)
use_cuda = torch.cuda.is_available()

BATCH, LENGTH, DIM, NOISE, LAMBDA = 5, 6, 3, 4, 10
CRITIC_ITERS = 2


class Generator(nn.Module):
    def __init__(self):
        super(Generator, self).__init__()
        self.gru = nn.GRU(NOISE, 8)
        self.out = nn.Linear(8, DIM)

    def forward(self, noise):
        output, _ = self.gru(noise)
        return torch.tanh(self.out(output)).transpose(0, 1)


class Critic(nn.Module):
    def __init__(self):
        super(Critic, self).__init__()
        self.lstm = nn.LSTM(DIM, 8, batch_first=True)
        self.main = nn.Sequential(nn.Linear(8, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))

    def forward(self, x):
        output, _ = self.lstm(x)
        return self.main(output[:, -1, :]).view(-1)


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Linear") != -1 or classname in ("LSTM", "GRU"):
        for i, p in enumerate(m.parameters()):
            p.data.copy_(torch.sin(torch.arange(p.numel()) * 0.61 + i).reshape(p.size()).mul(0.4))


def calc_gradient_penalty(netD, real_data, fake_data, iteration):
    alpha = torch.linspace(0.1, 0.9, BATCH).view(BATCH, 1, 1).roll(iteration, 0)
    alpha = alpha.expand(real_data.size())
    interpolates = alpha * real_data + ((1 - alpha) * fake_data)
    interpolates = interpolates.clone().detach().requires_grad_(True)
    disc_interpolates = netD(interpolates)
    gradients = autograd.grad(
        outputs=disc_interpolates,
        inputs=interpolates,
        grad_outputs=torch.ones(disc_interpolates.size()),
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    gradients = gradients.contiguous().view(gradients.size(0), -1)
    gradient_penalty = ((gradients.norm(2, dim=1) - 1) ** 2).mean() * LAMBDA
    return gradient_penalty


def noise_for(iteration):
    t = torch.arange(LENGTH * BATCH * NOISE).to(torch.get_default_dtype())
    return torch.sin(t * (iteration + 1.3)).view(LENGTH, BATCH, NOISE)


def real_data_for(iteration):
    t = torch.arange(LENGTH).view(1, -1, 1) + torch.arange(BATCH).view(-1, 1, 1) * iteration
    return torch.cat([torch.sin(0.5 * t), torch.cos(0.5 * t), 0.1 * t % 1.0], dim=2)


def main():
    torch.set_default_dtype(torch.float64)
    netG, netD = Generator(), Critic()
    netG.apply(weights_init)
    netD.apply(weights_init)
    if use_cuda:
        netG, netD = netG.cuda(), netD.cuda()
    optimizerD = optim.Adam(netD.parameters(), lr=5e-3, betas=(0.5, 0.9))
    optimizerG = optim.Adam(netG.parameters(), lr=5e-3, betas=(0.5, 0.9))
    losses = []
    for iteration in range(5):
        for p in netD.parameters():
            p.requires_grad = True
        for critic_iter in range(CRITIC_ITERS):
            netD.zero_grad()
            real = real_data_for(iteration * CRITIC_ITERS + critic_iter)
            D_real = netD(real).mean()
            with torch.no_grad():
                fake = netG(noise_for(iteration)).data
            D_fake = netD(fake).mean()
            gradient_penalty = calc_gradient_penalty(netD, real.data, fake.data, iteration)
            D_cost = D_fake - D_real + gradient_penalty
            D_cost.backward()
            Wasserstein_D = D_real - D_fake
            optimizerD.step()
            losses += [D_cost.item(), Wasserstein_D.item(), gradient_penalty.detach().item()]
        for p in netD.parameters():
            p.requires_grad = False
        netG.zero_grad()
        G_cost = -netD(netG(noise_for(iteration + 100))).mean()
        G_cost.backward()
        optimizerG.step()
        losses.append(G_cost.cpu().data.numpy().item())
    return losses


if __name__ == "__main__":
    print(main())
