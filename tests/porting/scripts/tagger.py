"""Tagging the parts of speech: a bidirectional LSTM over packed sequences of different lengths."""

# ruff: noqa - in the style in which such scripts are written

import torch
from torch import nn, optim
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader, Dataset

device = "cuda" if torch.cuda.is_available() else "cpu"

TRAINING_DATA = [
    ("the dog ate the apple".split(), ["DET", "NN", "V", "DET", "NN"]),
    ("everybody read that long book".split(), ["NN", "V", "DET", "ADJ", "NN"]),
    ("she sleeps".split(), ["NN", "V"]),
    ("a small cat saw the big dog today".split(), "DET ADJ NN V DET ADJ NN ADV".split()),
    ("they often eat".split(), ["NN", "ADV", "V"]),
    ("that big apple fell quickly".split(), ["DET", "ADJ", "NN", "V", "ADV"]),
]
PAD = 0
IGNORE = -100


class TaggingDataset(Dataset):
    def __init__(self, data, word_to_ix, tag_to_ix):
        self.data = data
        self.word_to_ix = word_to_ix
        self.tag_to_ix = tag_to_ix

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        words, tags = self.data[index]
        sentence = torch.tensor([self.word_to_ix[w] for w in words], dtype=torch.long)
        labels = torch.tensor([self.tag_to_ix[t] for t in tags], dtype=torch.long)
        return sentence, labels


def collate(batch):
    batch = sorted(batch, key=lambda pair: len(pair[0]), reverse=True)
    sentences, labels = zip(*batch)
    lengths = torch.tensor([len(s) for s in sentences])
    sentences = pad_sequence(sentences, batch_first=True, padding_value=PAD)
    labels = pad_sequence(labels, batch_first=True, padding_value=IGNORE)
    return sentences, labels, lengths


class BiLSTMTagger(nn.Module):
    def __init__(self, vocab_size, tagset_size, embedding_dim=8, hidden_dim=10):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, embedding_dim, padding_idx=PAD)
        self.lstm = nn.LSTM(
            input_size=embedding_dim,
            hidden_size=hidden_dim // 2,
            num_layers=2,
            bidirectional=True,
            batch_first=True,
        )
        self.hidden2tag = nn.Sequential(
            nn.Linear(hidden_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, tagset_size)
        )

    def forward(self, sentences, lengths):
        embeds = self.word_embeddings(sentences)
        packed = pack_padded_sequence(embeds, lengths.cpu(), batch_first=True)
        packed_out, (h_n, c_n) = self.lstm(packed)
        lstm_out, _ = pad_packed_sequence(packed_out, batch_first=True)
        return self.hidden2tag(lstm_out), h_n


@torch.no_grad()
def deterministic_init(m):
    for i, p in enumerate(m.parameters()):
        if p.dim() > 1:
            nn.init.xavier_uniform_(p)
        else:
            nn.init.constant_(p, 0.0)
        p.copy_(torch.sin(torch.arange(p.numel(), dtype=p.dtype) * 0.9 + i).view(p.shape) * 0.3)


def main():
    torch.set_default_dtype(torch.float64)
    word_to_ix = {"<pad>": PAD}
    tag_to_ix = {}
    for words, tags in TRAINING_DATA:
        for word in words:
            word_to_ix.setdefault(word, len(word_to_ix))
        for tag in tags:
            tag_to_ix.setdefault(tag, len(tag_to_ix))
    dataset = TaggingDataset(TRAINING_DATA, word_to_ix, tag_to_ix)
    loader = DataLoader(dataset, batch_size=4, shuffle=False, collate_fn=collate)
    model = BiLSTMTagger(len(word_to_ix), len(tag_to_ix)).to(device)
    deterministic_init(model)
    criterion = nn.CrossEntropyLoss(ignore_index=IGNORE)
    optimizer = optim.AdamW(model.parameters(), lr=0.02, weight_decay=1e-2)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.5)
    losses = []
    for epoch in range(8):
        model.train()
        correct, total = 0, 0
        for sentences, labels, lengths in loader:
            sentences, labels = sentences.to(device), labels.to(device)
            optimizer.zero_grad()
            scores, h_n = model(sentences, lengths)
            loss = criterion(scores.view(-1, scores.shape[-1]), labels.view(-1))
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
            optimizer.step()
            predictions = scores.argmax(dim=-1)
            mask = labels != IGNORE
            correct += (predictions[mask] == labels[mask]).sum().item()
            total += mask.sum().item()
            losses.append(loss.item())
            losses.append(h_n[-1].abs().sum().item())
        scheduler.step()
        losses.append(correct / total)
        lr = scheduler.get_last_lr()[0]
        print(f"epoch {epoch}: loss {loss:.4f}, accuracy {correct / total:.2f}, lr {lr:.4f}")

    model.eval()
    with torch.no_grad():
        sentence = torch.tensor([[word_to_ix[w] for w in "the cat ate".split()]])
        scores, _ = model(sentence, torch.tensor([3]))
        probabilities = torch.softmax(scores, -1)
        best, tags = torch.max(probabilities, 2)
        losses += best.squeeze(0).tolist() + tags[0].tolist()
    return losses


if __name__ == "__main__":
    print(main())
