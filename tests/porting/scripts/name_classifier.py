"""Which language a surname comes from: a recurrent network by hand, one letter at a time."""

# ruff: noqa - in the style in which such scripts are written

import string

import torch
import torch.nn as nn

torch.manual_seed(0)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

ALL_LETTERS = string.ascii_lowercase + " '"
NAMES = {
    "Czech": ["novak", "svoboda", "dvorak"],
    "Dutch": ["de vries", "van dijk", "bakker"],
    "Italian": ["rossi", "d'angelo", "ricci"],
    "Japanese": ["sato", "suzuki", "tanaka"],
}
CATEGORIES = list(NAMES)
N_LETTERS = len(ALL_LETTERS)


def letter_to_index(letter):
    return ALL_LETTERS.find(letter)


def line_to_tensor(line):
    tensor = torch.zeros(len(line), 1, N_LETTERS)
    for li, letter in enumerate(line):
        tensor[li][0][letter_to_index(letter)] = 1
    return tensor


class RNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super(RNN, self).__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(input_size + hidden_size, hidden_size)
        self.i2o = nn.Linear(input_size + hidden_size, output_size)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, input, hidden):
        combined = torch.cat((input, hidden), 1)
        hidden = torch.tanh(self.i2h(combined))
        output = self.softmax(self.i2o(combined))
        return output, hidden

    def init_hidden(self):
        return torch.zeros(1, self.hidden_size)


def init_weights(model):
    for i, p in enumerate(model.parameters()):
        values = torch.arange(p.numel(), dtype=p.dtype).mul(0.37).add(i).sin()
        p.data.copy_(0.3 * values.view(p.size()))


def category_from_output(output):
    top_n, top_i = output.data.topk(1)
    category_i = top_i[0].item()
    return CATEGORIES[category_i], category_i


def train(rnn, criterion, category_tensor, line_tensor, learning_rate):
    hidden = rnn.init_hidden().to(device)
    rnn.zero_grad()
    for i in range(line_tensor.size()[0]):
        output, hidden = rnn(line_tensor[i], hidden)
    loss = criterion(output, category_tensor)
    loss.backward()
    for p in rnn.parameters():
        p.data.add_(p.grad.data, alpha=-learning_rate)
    return output, loss.item()


def main():
    torch.set_default_dtype(torch.float64)
    rnn = RNN(N_LETTERS, 16, len(CATEGORIES)).to(device)
    init_weights(rnn)
    criterion = nn.NLLLoss()
    losses = []
    current_loss = 0
    for iteration in range(36):
        category = CATEGORIES[iteration % len(CATEGORIES)]
        line = NAMES[category][iteration // len(CATEGORIES) % 3]
        category_tensor = torch.tensor([CATEGORIES.index(category)], dtype=torch.long)
        output, loss = train(
            rnn, criterion, category_tensor.to(device), line_to_tensor(line).to(device), 0.05
        )
        current_loss += loss
        losses.append(loss)
        guess, guess_i = category_from_output(output)
        if iteration % 12 == 11:
            correct = "ok" if guess == category else "no (%s)" % category
            print("%d %.4f %s / %s %s" % (iteration, current_loss / 12, line, guess, correct))
            current_loss = 0

    confusion = torch.zeros(len(CATEGORIES), len(CATEGORIES))
    with torch.no_grad():
        for category, lines in NAMES.items():
            for line in lines:
                hidden = rnn.init_hidden()
                for letter in line_to_tensor(line):
                    output, hidden = rnn(letter, hidden)
                confusion[CATEGORIES.index(category)][category_from_output(output)[1]] += 1
    for i in range(len(CATEGORIES)):
        confusion[i] = confusion[i] / confusion[i].sum()
    losses.extend(confusion.flatten().tolist())
    return losses


if __name__ == "__main__":
    print(main())
