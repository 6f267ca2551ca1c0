"""How text is shown, compared and made safe to show. Pure."""
