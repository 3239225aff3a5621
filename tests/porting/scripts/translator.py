"""Reversing sentences: a GRU encoder and a GRU decoder that reads it by additive attention."""

# ruff: noqa - in the style in which such scripts are written

import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import optim

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

PAD_token, SOS_token, EOS_token = 0, 1, 2
MAX_LENGTH = 6
teacher_forcing_ratio = 0.5


class EncoderRNN(nn.Module):
    def __init__(self, input_size, hidden_size, dropout_p=0.1):
        super(EncoderRNN, self).__init__()
        self.hidden_size = hidden_size
        self.embedding = nn.Embedding(input_size, hidden_size, padding_idx=PAD_token)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout_p)

    def forward(self, input):
        embedded = self.dropout(self.embedding(input))
        output, hidden = self.gru(embedded)
        return output, hidden


class BahdanauAttention(nn.Module):
    def __init__(self, hidden_size):
        super(BahdanauAttention, self).__init__()
        self.Wa = nn.Linear(hidden_size, hidden_size)
        self.Ua = nn.Linear(hidden_size, hidden_size)
        self.Va = nn.Linear(hidden_size, 1)

    def forward(self, query, keys, mask):
        scores = self.Va(torch.tanh(self.Wa(query) + self.Ua(keys)))
        scores = scores.squeeze(2).unsqueeze(1)
        scores = scores.masked_fill(mask.unsqueeze(1) == 0, -1e9)
        weights = F.softmax(scores, dim=-1)
        context = torch.bmm(weights, keys)
        return context, weights


class AttnDecoderRNN(nn.Module):
    def __init__(self, hidden_size, output_size, dropout_p=0.1):
        super(AttnDecoderRNN, self).__init__()
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.attention = BahdanauAttention(hidden_size)
        self.gru = nn.GRU(2 * hidden_size, hidden_size, batch_first=True)
        self.out = nn.Linear(hidden_size, output_size)
        self.dropout = nn.Dropout(dropout_p)

    def forward(self, encoder_outputs, encoder_hidden, mask, target_tensor=None):
        batch_size = encoder_outputs.size(0)
        decoder_input = torch.empty(batch_size, 1, dtype=torch.long, device=device)
        decoder_input = decoder_input.fill_(SOS_token)
        decoder_hidden = encoder_hidden
        decoder_outputs = []
        attentions = []
        for i in range(MAX_LENGTH):
            embedded = self.dropout(self.embedding(decoder_input))
            query = decoder_hidden.permute(1, 0, 2)
            context, attn_weights = self.attention(query, encoder_outputs, mask)
            input_gru = torch.cat((embedded, context), dim=2)
            output, decoder_hidden = self.gru(input_gru, decoder_hidden)
            output = self.out(output)
            decoder_outputs.append(output)
            attentions.append(attn_weights)
            if target_tensor is not None:
                decoder_input = target_tensor[:, i].unsqueeze(1)
            else:
                _, topi = output.topk(1)
                decoder_input = topi.squeeze(-1).detach()
        decoder_outputs = torch.cat(decoder_outputs, dim=1)
        decoder_outputs = F.log_softmax(decoder_outputs, dim=-1)
        return decoder_outputs, decoder_hidden, torch.cat(attentions, dim=1)


def make_pairs(n, vocab_size):
    rng = random.Random(0)
    inputs, targets = [], []
    for _ in range(n):
        words = [rng.randrange(3, vocab_size) for _ in range(rng.randint(2, MAX_LENGTH - 1))]
        padding = [PAD_token] * (MAX_LENGTH - len(words) - 1)
        inputs.append(words + [EOS_token] + padding)
        targets.append(words[::-1] + [EOS_token] + padding)
    return torch.LongTensor(inputs).to(device), torch.tensor(targets, device=device)


def fill_parameters(*modules):
    for module in modules:
        for i, p in enumerate(module.parameters()):
            with torch.no_grad():
                flat = torch.linspace(0, p.numel(), p.numel()).to(p.dtype)
                p.copy_(torch.cos(flat * 1.3 + i).reshape(p.shape) * 0.25)


def main():
    torch.set_default_dtype(torch.float64)
    random.seed(3)
    vocab_size, hidden_size, batch_size = 10, 16, 5
    input_tensor, target_tensor = make_pairs(20, vocab_size)
    encoder = EncoderRNN(vocab_size, hidden_size, dropout_p=0.0).to(device)
    decoder = AttnDecoderRNN(hidden_size, vocab_size, dropout_p=0.0).to(device)
    fill_parameters(encoder, decoder)
    encoder_optimizer = optim.Adam(encoder.parameters(), lr=0.01)
    decoder_optimizer = optim.Adam(decoder.parameters(), lr=0.01)
    criterion = nn.NLLLoss(ignore_index=PAD_token)
    losses = []
    for epoch in range(4):
        for start in range(0, input_tensor.shape[0], batch_size):
            inputs = input_tensor[start : start + batch_size]
            targets = target_tensor[start : start + batch_size]
            encoder_optimizer.zero_grad()
            decoder_optimizer.zero_grad()
            use_teacher_forcing = random.random() < teacher_forcing_ratio
            encoder_outputs, encoder_hidden = encoder(inputs)
            decoder_outputs, _, _ = decoder(
                encoder_outputs,
                encoder_hidden,
                inputs.ne(PAD_token),
                targets if use_teacher_forcing else None,
            )
            loss = criterion(
                decoder_outputs.view(-1, decoder_outputs.size(-1)), targets.view(-1)
            )
            loss.backward()
            encoder_optimizer.step()
            decoder_optimizer.step()
            losses.append(loss.item())

    encoder.eval()
    decoder.eval()
    with torch.no_grad():
        encoder_outputs, encoder_hidden = encoder(input_tensor[:1])
        decoder_outputs, _, attentions = decoder(
            encoder_outputs, encoder_hidden, input_tensor[:1] != PAD_token
        )
        _, topi = decoder_outputs.topk(1)
        decoded_ids = topi.squeeze()
        decoded_words = []
        for idx in decoded_ids:
            if idx.item() == EOS_token:
                break
            decoded_words.append(idx.item())
        losses += attentions.squeeze(0).cpu().numpy().ravel().tolist()
    return losses + decoded_words


if __name__ == "__main__":
    print(main())
