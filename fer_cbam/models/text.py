"""Feeling in a line of text: a wide part that knows phrases, beside a deep one that knows words.

Deep: Kim, "Convolutional Neural Networks for Sentence Classification", EMNLP 2014,
https://arxiv.org/abs/1408.5882, on word vectors that start from GloVe (Pennington et al. 2014).
Wide: a weight for each hashed n-gram and label, as in Joulin et al., "Bag of Tricks for Efficient
Text Classification", 2016, https://arxiv.org/abs/1607.01759; the two are summed as in Cheng et al.,
"Wide & Deep Learning", 2016, https://arxiv.org/abs/1606.07792. Departure: n-grams are of letters
too, so that a word which was never met still has some that were.

:mod:`fer_cbam.text` makes the numbers that this reads.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FerCbamText(nn.Module):
    """``words`` int64 ``(B, T)`` and ``grams`` int64 ``(B, G)``, 0 where there is none -> logits
    float32 ``(B, num_classes)`` and tokens ``(B, num_features)``.

    num_words, num_grams: rows of the two tables, without that of 0. dim: of a word vector. width:
    filters of each size. sizes: words that a filter sees. What stands beyond the last word changes
    nothing.
    """

    def __init__(
        self,
        num_words: int,
        num_grams: int,
        num_classes: int = 7,
        dim: int = 50,
        width: int = 64,
        sizes: tuple[int, ...] = (1, 2, 3, 4),
        drop_rate: float = 0.4,
    ):
        super().__init__()
        self.num_classes, self.num_features = num_classes, width * len(sizes)
        self.sizes = sizes
        self.words = nn.Embedding(num_words + 1, dim, padding_idx=0)
        self.grams = nn.Embedding(num_grams + 1, num_classes, padding_idx=0)
        self.convs = nn.ModuleList(nn.Conv1d(dim, width, size) for size in sizes)
        self.drop = nn.Dropout(drop_rate)
        self.fc = nn.Linear(self.num_features, num_classes)
        nn.init.zeros_(self.grams.weight)

    def forward(self, words: Tensor, grams: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.forward_features(words)
        deep = self.fc(self.drop(tokens))
        count = (grams > 0).sum(1, keepdim=True).clamp(min=1).to(deep.dtype)
        return deep + self.grams(grams).sum(1) / count.sqrt(), tokens

    def forward_features(self, words: Tensor) -> Tensor:
        there = (words > 0).unsqueeze(1)
        x = self.drop(self.words(words)).transpose(1, 2) * there
        found = []
        for size, conv in zip(self.sizes, self.convs, strict=True):
            seen = F.relu(conv(F.pad(x, ((size - 1) // 2, size // 2))))
            found.append((seen * there).amax(2))
        return torch.cat(found, 1)
