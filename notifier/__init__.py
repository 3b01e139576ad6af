"""The right aftercare words at the right hour, by SMS or e-mail, after a treatment at your clinic."""
