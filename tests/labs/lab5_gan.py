"""Lab 5: what students write."""

from labs.answers import Mistake, changed
from labs.sources import answers_of

RIGHT = answers_of("lab5_gan")

MISTAKES = {
    "the share forgotten": Mistake(
        {"best_logit": changed(RIGHT["best_logit"], ("math.log(share) + log_p - math.log(1 - share)", "log_p"))},
        {"test_best_logit": 2},
        "the share is not in it",
    ),
    "no factor in front of the exponential": Mistake(
        {
            "best_logit": changed(
                RIGHT["best_logit"],
                (" - x.shape[1] * math.log(sd_p)", ""),
                (" - x.shape[1] * math.log(sd_q)", ""),
            )
        },
        {"test_best_logit": 2},
        "they do not cancel",
    ),
    "the factor of one dimension": Mistake(
        {"best_logit": changed(RIGHT["best_logit"], ("x.shape[1] * ", ""))},
        {"test_best_logit": 3},
        "the pictures have d",
    ),
    "the notebook's value": Mistake(
        {
            "divergence": """
def divergence(real, fake, share):
    return (math.log(4) + F.logsigmoid(real).mean() + F.logsigmoid(-fake).mean()) / 2
"""
        },
        {"test_divergence": 1},
        "as in the notebook",
    ),
    "shares swapped": Mistake(
        {
            "divergence": changed(
                RIGHT["divergence"],
                ("F.logsigmoid(real)", "F.logsigmoid(-fake )"),
                ("F.logsigmoid(-fake)", "F.logsigmoid(real)"),
            )
        },
        {"test_divergence": 2},
        "real pictures count π",
    ),
    "the loss for the divergence": Mistake(
        {
            "divergence": changed(
                RIGHT["divergence"], ("-share * math.log(share) - (1 - share) * math.log(1 - share) - loss", "loss")
            )
        },
        {"test_divergence": 1},
        "falls as the divergence grows",
    ),
    "the shape found, the gradient not": Mistake(
        {
            "mended_round": changed(
                RIGHT["mended_round"],
                ("    teach_critic.zero_grad()", "    pass"),
                ("    teach_generator.zero_grad()", "    teach_generator.zero_grad(), teach_critic.zero_grad()"),
            )
        },
        {"test_mended_round": 2},
        "has left its trace there",
    ),
    "the gradient found, the shape not": Mistake(
        {"mended_round": changed(RIGHT["mended_round"], ("[:, 0]", ""))},
        {"test_mended_round": 2},
        "compare the shapes",
    ),
    "detached where the generator should learn": Mistake(
        {"mended_round": changed(RIGHT["mended_round"], ("critic(made)", "critic(made.detach())"))},
        {"test_mended_round": 1},
        "the generator never moves",
    ),
    "every pair twice": Mistake(
        {
            "support_size": """
def support_size(samples, near):
    flat = samples.flatten(1)
    close = torch.cdist(flat, flat) < near
    n, pairs = len(samples), int(close.sum()) - len(samples)
    return n * (n - 1) / 2 / pairs if pairs else math.inf
"""
        },
        {"test_support_size": 1.5},
        "every pair is counted twice",
    ),
    "no samples without a pair": Mistake(
        {"support_size": changed(RIGHT["support_size"], (" if pairs else math.inf", ""))},
        {"test_support_size": 0},
        "ZeroDivisionError",
    ),
    "the generator plays the critic's game": Mistake(
        {
            "game_round": changed(
                RIGHT["game_round"],
                ("(made_up - scores.mean() - 1)", "(made_up - scores.mean() + 1)"),
                ("(scores - made_up.mean() + 1)", "(scores - made_up.mean() - 1)"),
            )
        },
        {"test_pictures": 0},
        "hardly any picture is like a real one",
    ),
    "a generator without a gradient": Mistake(
        {"game_round": changed(RIGHT["game_round"], ("critic(generator(noise))", "critic(generator(noise).detach())"))},
        {"test_pictures": 0},
        "does the generator move at all",
    ),
    "drawn from one noise": Mistake(
        {"game_round": changed(RIGHT["game_round"], ("critic(generator(noise))", "critic(generator(0 * noise))"))},
        {"test_pictures": 1},
        "has collapsed",
    ),
    "no penalty": Mistake(
        {
            "game_round": changed(
                RIGHT["game_round"],
                ("    critics_loss = critics_loss + 0.5 * lab.losses.squared_gradient(scores, real)\n", ""),
            )
        },
        {"test_pictures": 2},
        "not as near as this game can",
    ),
    "no gradient at the real pictures": Mistake(
        {"game_round": changed(RIGHT["game_round"], (".requires_grad_()", ""))},
        {"test_pictures": 0},
        "RuntimeError",
    ),
    "real and drawn swapped, and no ratio": Mistake(
        {
            "reading": changed(
                RIGHT["reading"],
                ("density_coverage(mine.val.images, B)", "density_coverage(B, data.val.images)"),
                ("near / usual", "near"),
            )
        },
        {"test_reading": 0},
        "divide it by that of new real digits",
    ),
    "the digits that it does draw": Mistake(
        {"reading": changed(RIGHT["reading"], ("share < 0.01", "share >= 0.01"))},
        {"test_reading": 2},
        "these are the digits that it does draw",
    ),
}

OTHER_TRAINED = {
    "one pass of the critic over both, functions for the losses": {
        "game_round": """
def squares(up, down):
    return F.mse_loss(up - down.mean(), torch.ones_like(up)) + F.mse_loss(down - up.mean(), -torch.ones_like(down))

def game_round(generator, critic, teach_generator, teach_critic, real, noise):
    made = generator(noise).detach()
    x = real.detach().clone().requires_grad_()
    both = critic(torch.cat([x, made]))
    true, false = both[: len(x)], both[len(x) :]
    (slope,) = torch.autograd.grad(true.sum(), x, create_graph=True)
    critics = squares(true, false) + 0.5 * (slope**2).sum(dim=(1, 2, 3)).mean()
    teach_critic.zero_grad()
    critics.backward()
    teach_critic.step()

    both = critic(torch.cat([generator(noise), real]))
    generators = squares(both[: len(noise)], both[len(noise) :])
    teach_generator.zero_grad()
    generators.backward()
    teach_generator.step()
    return generators.detach(), critics.detach()
""",
    },
}

OTHER_WAYS = {
    "by distributions, numpy and loops": {
        "best_logit": """
def best_logit(x, share, mean_p, sd_p, mean_q, sd_q):
    p, q = (torch.distributions.Normal(mean, sd).log_prob(x).sum(-1) for mean, sd in ((mean_p, sd_p), (mean_q, sd_q)))
    return torch.logit(torch.tensor(share)) + p - q
""",
        "divergence": """
import numpy as np

def divergence(real, fake, share):
    sees, seen = torch.sigmoid(real).numpy().astype("f8"), torch.sigmoid(fake).numpy().astype("f8")
    return share * np.mean(np.log(sees / share)) + (1 - share) * np.mean(np.log((1 - seen) / (1 - share)))
""",
        "mended_round": """
def mended_round(generator, critic, teach_generator, teach_critic, real, noise):
    made = generator(noise)
    critic.requires_grad_(False)
    first = F.mse_loss(critic(made), torch.ones(len(made), 1))
    teach_generator.zero_grad(set_to_none=True)
    first.backward()
    teach_generator.step()
    critic.requires_grad_(True)
    second = ((critic(real) - 1) ** 2).mean() / 2 + (critic(made.detach()) ** 2).mean() / 2
    teach_critic.zero_grad(set_to_none=True)
    second.backward()
    teach_critic.step()
    return first.item(), second.item()
""",
        "support_size": """
def support_size(samples, near):
    n, equal = len(samples), 0
    for i in range(n):
        for j in range(i):
            equal += (samples[i] - samples[j]).pow(2).sum().sqrt() < near
    return (n * (n - 1) / 2) / torch.as_tensor(equal)
""",
    },
    "frozen, with noise of its own and a penalty of its own": {
        "game_round": """
def relativistic(high, low):
    return ((high - low.mean() - 1) ** 2).mean() + ((low - high.mean() + 1) ** 2).mean()

def game_round(generator, critic, teach_generator, teach_critic, real, noise):
    with torch.no_grad():
        fake = generator(noise)
    x = real.detach().requires_grad_(True)
    score = critic(x)
    slope = torch.autograd.grad(score.sum(), x, create_graph=True)[0]
    first = relativistic(score, critic(fake)) + slope.flatten(1).pow(2).sum(1).mean() / 2
    teach_critic.zero_grad()
    first.backward()
    teach_critic.step()

    critic.requires_grad_(False)
    second = relativistic(critic(generator(torch.randn_like(noise))), critic(real))
    teach_generator.zero_grad()
    second.backward()
    teach_generator.step()
    critic.requires_grad_(True)
    return first.item(), second.item()
""",
        "reading": """
import numpy as np

flat = mine.train.images.flatten(1)
def nearest(images):
    return torch.cdist(images.flatten(1), flat).min(1).values.median()
nearness_A = round(float(nearest(A) / nearest(mine.val.images)), 4)
coverage_B = np.float32(lab.metrics.density_coverage(mine.val.images, B).coverage.value)
rare_B = {int(digit) for digit in np.flatnonzero(lab.metrics.class_histogram(B).numpy() < 0.01)}
""",
    },
}
