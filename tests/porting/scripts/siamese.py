"""Are two sequences alike? One LSTM reads both; three losses on the distance of its states."""

# ruff: noqa - in the style in which such scripts are written

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim import SGD, RMSprop
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset


class Encoder(nn.Module):
    def __init__(self, input_size, hidden_size):
        super(Encoder, self).__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, batch_first=True)

    def forward(self, x):
        h0 = torch.zeros(1, x.size(0), self.lstm.hidden_size).to(x.device)
        c0 = torch.zeros_like(h0)
        out, (hn, cn) = self.lstm(x, (h0, c0))
        return hn.squeeze(0)


class SiameseLSTM(nn.Module):
    def __init__(self, input_size=3, hidden_size=8):
        super(SiameseLSTM, self).__init__()
        self.encoder = Encoder(input_size, hidden_size)
        self.classifier = nn.Linear(2 * hidden_size, 1)

    def forward_once(self, x):
        return self.encoder(x)

    def forward(self, x1, x2):
        h1, h2 = self.forward_once(x1), self.forward_once(x2)
        features = torch.cat([torch.abs(h1 - h2), h1 * h2], dim=1)
        logits = self.classifier(features).squeeze(1)
        manhattan = torch.exp(-torch.norm(h1 - h2, p=1, dim=1))
        return logits, manhattan, h1, h2


class ContrastiveLoss(nn.Module):
    def __init__(self, margin=1.0):
        super(ContrastiveLoss, self).__init__()
        self.margin = margin

    def forward(self, output1, output2, label):
        distance = F.pairwise_distance(output1, output2, keepdim=False)
        loss = torch.mean(
            label * torch.pow(distance, 2)
            + (1 - label) * torch.pow(torch.clamp(self.margin - distance, min=0.0), 2)
        )
        return loss


def make_data(n=24, length=6, features=3):
    t = torch.arange(n * length * features).view(n, length, features).float().to(torch.float64)
    x1 = torch.sin(0.3 * t)
    label = (torch.arange(n) % 2).double()
    x2 = torch.where(label.view(n, 1, 1) > 0.5, x1 + 0.05 * torch.cos(t), torch.cos(1.7 * t))
    return x1, x2, label


def init_weights(m):
    if isinstance(m, nn.Linear):
        nn.init.xavier_uniform_(m.weight)
        m.bias.data.fill_(0.01)
        m.weight.data = torch.sin(torch.arange(m.weight.numel()).double()).view_as(m.weight) * 0.2
    elif isinstance(m, nn.LSTM):
        for name, param in m.named_parameters():
            if "weight" in name:
                nn.init.orthogonal_(param.data)
                values = torch.arange(param.numel()).to(param.dtype).cos()
                param.data.copy_(values.view_as(param) * 0.3)
            elif "bias" in name:
                param.data.fill_(0)
                n = param.size(0)
                param.data[n // 4 : n // 2].fill_(1.0)


def main():
    torch.set_default_dtype(torch.float64)
    model = SiameseLSTM()
    model.apply(init_weights)
    x1, x2, label = make_data()
    loader = DataLoader(TensorDataset(x1, x2, label), batch_size=7, drop_last=True)
    bce = nn.BCEWithLogitsLoss()
    contrastive = ContrastiveLoss(margin=1.5)
    optimizer = RMSprop(model.encoder.parameters(), lr=0.01, momentum=0.5)
    readout = SGD(model.classifier.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    losses = []
    for epoch in range(5):
        running_loss = 0.0
        for i, (a, b, y) in enumerate(loader):
            optimizer.zero_grad()
            readout.zero_grad()
            logits, similarity, h1, h2 = model(a, b)
            cosine = F.cosine_similarity(h1, h2)
            loss1 = bce(logits, y)
            loss2 = contrastive(h1, h2, y)
            loss3 = F.mse_loss(similarity, y) + F.mse_loss(cosine, 2 * y - 1)
            loss = loss1 + loss2 + 0.1 * loss3
            loss.backward()
            optimizer.step()
            readout.step()
            running_loss += loss.item() * a.size(0)
            losses.append(loss.item())
        scheduler.step(running_loss)
        losses.append(optimizer.param_groups[0]["lr"])
    model.eval()
    with torch.no_grad():
        logits, similarity, _, _ = model(x1, x2)
        predicted = torch.round(torch.sigmoid(logits))
        accuracy = predicted.eq(label.view_as(predicted)).float().mean()
        losses += [accuracy.item(), similarity.std().item(), similarity.var(unbiased=False).item()]
    return losses


if __name__ == "__main__":
    print(main())
