"""Those who deliver notices."""
