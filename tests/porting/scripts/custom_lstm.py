"""The adding problem: an LSTM written from its equations, in mini-batches, saved and resumed."""

# ruff: noqa - in the style in which such scripts are written

import math
import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Parameter
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader, Dataset, random_split

device = torch.device("cpu")


class AddingProblem(Dataset):
    """Two rows: numbers, and marks at the two of them that are to be added."""

    def __init__(self, n_samples, length):
        t = torch.arange(n_samples * length, dtype=torch.get_default_dtype())
        self.values = torch.sin(t * 12.9898).mul(43758.5453).remainder(1.0).view(-1, length)
        self.marks = torch.zeros_like(self.values)
        first = (torch.arange(n_samples) % (length // 2)).unsqueeze(1)
        self.marks.scatter_(1, first, 1.0)
        self.marks.scatter_(1, first + length // 2, 1.0)

    def __len__(self):
        return self.values.shape[0]

    def __getitem__(self, idx):
        x = torch.stack([self.values[idx], self.marks[idx]], dim=1)
        y = (self.values[idx] * self.marks[idx]).sum()
        return {"x": x, "y": y, "length": len(x)}


class CustomLSTM(nn.Module):
    def __init__(self, input_sz: int, hidden_sz: int):
        super().__init__()
        self.input_sz = input_sz
        self.hidden_size = hidden_sz
        self.W = Parameter(torch.Tensor(input_sz, hidden_sz * 4))
        self.U = Parameter(torch.Tensor(hidden_sz, hidden_sz * 4))
        self.bias = Parameter(torch.Tensor(hidden_sz * 4))
        self.register_buffer("steps", torch.zeros(1, dtype=torch.long))
        self.init_weights()

    def init_weights(self):
        stdv = 1.0 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            weight.data.uniform_(-stdv, stdv)
        for i, weight in enumerate(self.parameters()):
            t = torch.arange(weight.nelement()).type_as(weight)
            weight.data.copy_(torch.sin(t * 0.77 + i).mul_(stdv).reshape_as(weight))

    def forward(self, x: Tensor, init_states=None):
        bs, seq_sz, _ = x.size()
        hidden_seq = []
        if init_states is None:
            h_t = torch.zeros(bs, self.hidden_size).to(x.device)
            c_t = x.new_zeros(bs, self.hidden_size)
        else:
            h_t, c_t = init_states
        HS = self.hidden_size
        for t in range(seq_sz):
            x_t = x[:, t, :]
            gates = x_t @ self.W + h_t @ self.U + self.bias
            i_t = torch.sigmoid(gates[:, :HS])
            f_t = torch.sigmoid(gates[:, HS : HS * 2])
            g_t = torch.tanh(gates[:, HS * 2 : HS * 3])
            o_t = torch.sigmoid(gates[:, HS * 3 :])
            c_t = f_t * c_t + i_t * g_t
            h_t = o_t * torch.tanh(c_t)
            hidden_seq.append(h_t.unsqueeze(0))
        self.steps += seq_sz
        hidden_seq = torch.cat(hidden_seq, dim=0)
        hidden_seq = hidden_seq.transpose(0, 1).contiguous()
        return hidden_seq, (h_t, c_t)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = CustomLSTM(2, 10)
        self.norm = nn.LayerNorm(10)
        self.fc = nn.Sequential(nn.Dropout(p=0.0), nn.Linear(10, 1))
        nn.init.constant_(self.fc[1].weight, 0.1)
        nn.init.zeros_(self.fc[1].bias)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.fc(self.norm(out[:, -1])).squeeze(-1)


def train_epoch(model, loader, optimizer, losses):
    model.train()
    for batch in loader:
        x, y = batch["x"].to(device), batch["y"].to(device)
        assert batch["length"].dtype == torch.int64
        optimizer.zero_grad(set_to_none=True)
        loss = F.smooth_l1_loss(model(x), y)
        loss.backward()
        total_norm = torch.stack([p.grad.detach().norm(2) for p in model.parameters()]).norm(2)
        nn.utils.clip_grad_value_(model.parameters(), 0.5)
        optimizer.step()
        losses += [loss.item(), total_norm.item()]


def main():
    torch.set_default_dtype(torch.float64)
    dataset = AddingProblem(32, 10)
    train_set, test_set = random_split(dataset, [24, 8])
    train_set.indices, test_set.indices = list(range(24)), list(range(24, 32))
    loader = DataLoader(train_set, batch_size=8, shuffle=False, num_workers=0, pin_memory=False)
    model = Net().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=1e-3)
    scheduler = CosineAnnealingLR(optimizer, T_max=4)
    losses = []
    for epoch in range(2):
        train_epoch(model, loader, optimizer, losses)
        scheduler.step()
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, "checkpoint.pt")
    torch.save(
        {
            "epoch": epoch,
            "model_state_dict": model.state_dict(),
            "optimizer_state_dict": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
        },
        path,
    )
    resumed = Net()
    checkpoint = torch.load(path, map_location=device)
    os.remove(path)
    os.rmdir(folder)
    resumed.load_state_dict(checkpoint["model_state_dict"])
    optimizer = torch.optim.Adam(resumed.parameters(), lr=0.1)
    optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
    scheduler = CosineAnnealingLR(optimizer, T_max=4)
    scheduler.load_state_dict(checkpoint["scheduler"])
    for epoch in range(checkpoint["epoch"] + 1, 4):
        train_epoch(resumed, loader, optimizer, losses)
        scheduler.step()
        losses.append(scheduler.get_last_lr()[0])
    resumed.eval()
    with torch.inference_mode():
        for batch in DataLoader(test_set, batch_size=3):
            losses += (resumed(batch["x"]) - batch["y"]).abs().tolist()
    losses.append(float(resumed.lstm.steps))
    return losses


if __name__ == "__main__":
    print(main())
