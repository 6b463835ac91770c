"""Pictures as users have them: any size, with alpha, profiles and folders."""
