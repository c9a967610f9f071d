"""Makes overview.png, the picture in the README: python docs/images/overview.py (about a minute)."""

from pathlib import Path

import autoencoder_lab as lab

data = lab.load("mnist-5k")
models = {"PCA, 8 numbers": lab.PCA(8).fit(data.train)}
for name, model in {
    "dense autoencoder, 8 numbers": lab.DenseAutoencoder(latent=8),
    "convolutional, 8 numbers": lab.ConvAutoencoder(latent=8),
}.items():
    lab.fit(model, data, augment=lab.augment.affine(), seed=0)
    models[name] = model
figure = lab.plot.reconstructions(models, data.test, count=14)
figure.savefig(Path(__file__).with_name("overview.png"))
print(figure.alt)
