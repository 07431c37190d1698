"""Application layer gateways: they read control sessions and let in what these announce.

``base`` has what a gateway takes and gives, ``stream`` makes units of TCP segments and segments of
units, ``registry`` lists the gateways; one module each. All are pure. ``spu/alg_path.py`` puts them
into the way of packets.
"""
