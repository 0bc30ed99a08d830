"""stub."""


class Augmentation:
    pass


def get_augmentation(a):
    return None
