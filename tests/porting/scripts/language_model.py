"""A word language model: layered LSTM, tied weights, truncated backpropagation, annealed rate."""

# ruff: noqa - in the style in which such scripts are written

import argparse
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

TEXT = """the cat sat on the mat and the dog sat on the cat . the mat sat under the dog . a cat and
a dog saw a mat on the cat . the dog saw the cat and the cat saw the dog on a mat . """

parser = argparse.ArgumentParser(description="word-level language model")
parser.add_argument("--emsize", type=int, default=12)
parser.add_argument("--nhid", type=int, default=12)
parser.add_argument("--nlayers", type=int, default=2)
parser.add_argument("--lr", type=float, default=4.0)
parser.add_argument("--clip", type=float, default=0.25)
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--batch_size", type=int, default=4)
parser.add_argument("--bptt", type=int, default=7)
parser.add_argument("--dropout", type=float, default=0.0)
parser.add_argument("--tied", action="store_true", default=True)
args = parser.parse_args([])

torch.manual_seed(1111)
device = torch.device("cpu")


class Dictionary(object):
    def __init__(self):
        self.word2idx = {}
        self.idx2word = []

    def add_word(self, word):
        if word not in self.word2idx:
            self.idx2word.append(word)
            self.word2idx[word] = len(self.idx2word) - 1
        return self.word2idx[word]

    def __len__(self):
        return len(self.idx2word)


def tokenize(dictionary, text):
    words = text.split()
    ids = torch.zeros(len(words), dtype=torch.int64)
    for i, word in enumerate(words):
        ids[i] = dictionary.add_word(word)
    return ids


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    data = data.narrow(0, 0, nbatch * bsz)
    return data.view(bsz, -1).t().contiguous().to(device)


class RNNModel(nn.Module):
    def __init__(self, ntoken, ninp, nhid, nlayers, dropout=0.5, tie_weights=False):
        super().__init__()
        self.ntoken = ntoken
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, nhid, nlayers, dropout=dropout)
        self.decoder = nn.Linear(nhid, ntoken)
        if tie_weights:
            if nhid != ninp:
                raise ValueError("When using the tied flag, nhid must be equal to emsize")
            self.decoder.weight = self.encoder.weight
        self.init_weights()
        self.nhid = nhid
        self.nlayers = nlayers

    def init_weights(self):
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)
        for i, (name, p) in enumerate(self.named_parameters()):
            if name != "decoder.bias":
                p.data = 0.2 * torch.sin(torch.arange(p.numel(), dtype=p.dtype) + i).view_as(p)

    def forward(self, input, hidden):
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        output = self.drop(output)
        decoded = self.decoder(output)
        decoded = decoded.view(-1, self.ntoken)
        return F.log_softmax(decoded, dim=1), hidden

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        return (
            weight.new_zeros(self.nlayers, bsz, self.nhid),
            weight.new_zeros(self.nlayers, bsz, self.nhid),
        )


def repackage_hidden(h):
    """Wrap hidden states in new tensors, to detach them from their history."""
    if isinstance(h, torch.Tensor):
        return h.detach()
    return tuple(repackage_hidden(v) for v in h)


def get_batch(source, i):
    seq_len = min(args.bptt, len(source) - 1 - i)
    data = source[i : i + seq_len]
    target = source[i + 1 : i + 1 + seq_len].view(-1)
    return data, target


def evaluate(model, criterion, source, ntokens):
    model.eval()
    total_loss = 0.0
    hidden = model.init_hidden(args.batch_size)
    with torch.no_grad():
        for i in range(0, source.size(0) - 1, args.bptt):
            data, targets = get_batch(source, i)
            output, hidden = model(data, hidden)
            hidden = repackage_hidden(hidden)
            total_loss += len(data) * criterion(output, targets).item()
    return total_loss / (len(source) - 1)


def main():
    torch.set_default_dtype(torch.float64)
    dictionary = Dictionary()
    train_data = batchify(tokenize(dictionary, TEXT * 4), args.batch_size)
    val_data = batchify(tokenize(dictionary, TEXT), args.batch_size)
    ntokens = len(dictionary)
    model = RNNModel(ntokens, args.emsize, args.nhid, args.nlayers, args.dropout, args.tied)
    model = model.to(device)
    criterion = nn.NLLLoss()
    lr = args.lr
    best_val_loss = None
    losses = []
    for epoch in range(1, args.epochs + 1):
        model.train()
        hidden = model.init_hidden(args.batch_size)
        for batch, i in enumerate(range(0, train_data.size(0) - 1, args.bptt)):
            data, targets = get_batch(train_data, i)
            model.zero_grad()
            hidden = repackage_hidden(hidden)
            output, hidden = model(data, hidden)
            loss = criterion(output, targets)
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), args.clip)
            for p in model.parameters():
                p.data.add_(p.grad, alpha=-lr)
            losses.append(loss.item())
            losses.append(norm.item())
        val_loss = evaluate(model, criterion, val_data, ntokens)
        losses.append(math.exp(val_loss))
        print("epoch {:3d} | valid ppl {:8.2f}".format(epoch, math.exp(val_loss)))
        if not best_val_loss or val_loss < best_val_loss:
            best_val_loss = val_loss
        else:
            lr /= 4.0

    model.eval()
    input = torch.zeros(1, 1, dtype=torch.long)
    hidden = model.init_hidden(1)
    with torch.no_grad():
        for _ in range(5):
            output, hidden = model(input, hidden)
            word_weights = output.squeeze().div(0.8).exp().cpu()
            word_idx = torch.argmax(word_weights)
            input.fill_(word_idx)
            losses.append(float(word_idx))
    return losses


if __name__ == "__main__":
    print(main())
