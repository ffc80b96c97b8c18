"""Names as public cohorts, scanners and users write them, and the modality that each stands for."""

from __future__ import annotations

import re

from MultimodalImagingLib.cohorts.modality_patterns import IGNORE, LABEL

UNKNOWN = "unknown"

# Public cohorts: names of files without the case's own part.
COHORTS = {
    "BraTS": {
        "T1": "t1 t1n",
        "T1c": "t1ce t1c t1Gd",
        "T2": "t2 t2w",
        "FLAIR": "flair t2f",
        LABEL: "seg",
    },
    "UCSF-PDGM": {
        "T1": "T1 T1_bias",
        "T1c": "T1c T1c_bias",
        "T2": "T2 T2_bias",
        "FLAIR": "FLAIR FLAIR_bias",
        "DWI": "DWI DWI_bias",
        "SWI": "SWI SWI_bias",
        "ADC": "ADC",
        "ASL": "ASL",
        "FA": "DTI_eddy_FA",
        "MD": "DTI_eddy_MD",
        LABEL: "tumor_segmentation",
        UNKNOWN: "DTI_eddy_L1 DTI_eddy_noreg",
    },
    "UPENN-GBM": {
        "T1": "UPENN-GBM-00001_11_T1 T1_unstripped",
        "T1c": "UPENN-GBM-00001_11_T1GD T1GD_unstripped",
        "T2": "UPENN-GBM-00001_11_T2",
        "FLAIR": "FLAIR FLAIR_unstripped",
        "CBV": "DSC_ap-rCBV",
        "AD": "DTI_AD",
        "FA": "DTI_FA",
        "RD": "DTI_RD",
        LABEL: "automated_approx_segm",
        IGNORE: "brain_mask",
    },
    "LUMIERE": {"T1c": "CT1 CT1_r2s_bet CT1_r2s_bet_reg", "T1": "T1_r2s_bet_reg", "T2": "T2"},
    "ReMIND": {
        "T1c": "3D_AX_T1_postcontrast 3D_SAG_T1_postcontrast",
        "T1": "3D_AX_T1_precontrast",
        "T2": "3D_AX_T2_SPACE 2D_AX_T2_BLADE",
        "FLAIR": "2D_AX_T2_FLAIR 3D_SAG_T2_FLAIR",
    },
    "MSSEG": {"FLAIR": "3DFLAIR", "T1": "3DT1", "T1c": "3DT1GADO", "PD": "DP", "T2": "T2"},
    "WMH": {"FLAIR": "FLAIR FLAIR_reg", "T1": "3DT1 T1"},
    "MSSEG-2": {"FLAIR": "flair_time01_on_middle_space flair_time02_on_middle_space"},
    "ISLES": {"ADC": "adc", "DWI": "dwi", "FLAIR": "FLAIR", "Tmax": "Tmax", "MTT": "MTT"},
    "PI-CAI": {"T2": "10000_1000000_t2w", "ADC": "adc", "HBV": "hbv", UNKNOWN: "cor sag"},
    "autoPET": {"CT": "CT CTres", "PET": "PET SUV", LABEL: "SEG"},
    "HECKTOR": {"CT": "CHUM-001__CT", "PET": "CHUM-001__PT"},
    "CHAOS": {"T1in": "T1DUAL_InPhase", "T1out": "T1DUAL_OutPhase", "T2": "T2SPIR"},
    "MM-WHS": {"CT": "ct_train_1001_image", "MR": "mr_train_1001_image"},
    "IXI": {
        "T1": "IXI002-Guys-0828-T1",
        "PD": "IXI002-Guys-0828-PD",
        "MRA": "IXI002-Guys-0828-MRA",
    },
    "HCP": {"T1": "T1w_acpc_dc_restore T1w_MPR1", "T2": "T2w_acpc_dc_restore"},
    "UK Biobank": {
        "T1": "T1_unbiased_brain",
        "FLAIR": "T2_FLAIR_unbiased",
        "Phase": "SWI_TOTAL_PHA",
    },
    "PROSTATEx": {
        "T2": "t2_tse_tra t2_tse_sag",
        "ADC": "ep2d_diff_tra_DYNDIST_ADC",
        "Ktrans": "ProstateX-0000-Ktrans",
    },
    "BIDS": {
        "T1": "acq-mprage_T1w desc-preproc_T1w sub-01_space-MNI152_T1w UNIT1",
        "T1c": "sub-01_ce-gadolinium_T1w ce-gd_T1w",
        "FLAIR": "sub-01_space-T1w_FLAIR acq-3d_FLAIR",
        "T2": "acq-tse_T2w",
        "T1map": "T1map",
        "INV1": "inv-1_MP2RAGE",
        "INV2": "inv-2_MP2RAGE",
        "R2star": "R2starmap",
        "PD": "PDw",
    },
}

# Series descriptions: one per line, because blanks belong to them.
SERIES = {
    "T1c": """
        Ax T1 +C
        Ax T1 + C
        AX T1 POST
        Ax T1 POST GAD
        AX T1 FS+C
        Ax T1 FLAIR +C
        T1 C+
        T1+C
        T1+
        t1-c
        T1_C_plus
        FSPGR+C
        Sag 3D T1 BRAVO post GAD
        ax_bravo_post
        SAG_T1_POST_CUBE
        T1GD3
        T1-Gd-DTPA
        t1_mprage_tra_p2_iso_KM
        t1_tse_km
        T1 tra nach KM
        T1 mit KM
        T1_VIBE_FS_CE
        T1_MPRAGE_GD
        MPRAGE_POST
        T1_after_contrast
        T1 with contrast
        T1_w_contrast
        T1 EG GADO
        T1 apres injection
        T1 apr\u00e8s injection
        T1 apre\u0300s injection
        T1 avec gado
        T1 dopo MdC
        mdc_T1
        T1 con mdc
        T1 con contraste
        T1 con gadolinio
        T1 tras contraste
        T1_iv
        T1 i.v.
        T1 DOTAREM
        T1_gadavist_tra
        eTHRIVE_GD
        CE_T1w_mprage
        ceT1w
        T1_post_2
        T1 post op GD
        T1 pre-op POST
        vibe_arterial
        T1 enhanced; T1_postcon; T1_withGd; t1_gdfs; sT1W_TSE_Gd; T1_SE_GAD; T1 (C+); T1_CEMRI
        """,
    "T1": """
        AX_T1
        T1_TSE
        T1_SPACE
        FSPGR
        SPGR
        BRAVO
        VIBE
        3D_TFE
        MP2RAGE
        eTHRIVE
        T1WI
        axT1
        Ax T1 FLAIR
        t1_tirm_tra_dark-fluid
        t1_mpr_sag_iso
        T1 SE SAG
        T1 without contrast
        T1_non_contrast
        T1 noncontrast
        T1 w/o contrast
        T1_wo_gd
        T1_no_gd
        T1_nc
        T1_pre
        pre_contrast_T1
        precontrast_T1
        T1 unenhanced
        T1 tra nativ
        T1 ohne KM
        T1 o. KM
        T1 vor KM
        T1 sans injection
        T1 sans gado
        T1 avant injection
        T1 senza mdc
        T1 basale
        T1 sin contraste
        T1 sin gadolinio
        T1_postop
        T1_post_op
        T1 post surgery
        T1_post_RT
        pre_op_T1
        mr_T1; T1_masked; T1_precon; noncon_T1; sT1W_TSE; COR T1 FSE FS
        """,
    "FLAIR": """
        t2_tirm
        t2_tirm_tra_dark-fluid
        t2_tirm_tra_dark-fluid_FLAIR
        T2_TIRM_dark
        t2_dark-fluid
        t2_spc_da-fl
        t2_space_dark-fluid_sag
        T2 SPACE FLAIR
        Sag_3D_FLAIR_CUBE
        OAx T2 FLAIR
        FLAIR +C
        VISTA_FLAIR
        FLAIR3D
        axFLAIR; sT2W_FLAIR
        """,
    "T2": "T2_blade\n3DT2\nt2_haste\nAx T2 FSE\nT2 PROPELLER\nT2_CUBE\nt2_spc_sag\nT2_post",
    "T2star": "t2_fl2d_tra_hemo\nT2*\nT2 FFE\nT2_GRE",
    "STIR": "stir\nt2_stir_cor\nCOR STIR",
    "PD": "proton density\ndp_tse\nPD_FS",
    "DWI": "ep2d_diff_b1000\nTRACEW\nep2d_diff_tra_DYNDIST_TRACEW\nb1400\nRESOLVE_b1000\nDIFUSION",
    "ADC": "apparent diffusion coefficient\ndADC\nADC_map\ndwi_adc\neADC",
    "SWI": "SWI_Images\nMag_Images\nSWAN",
    "Phase": "Pha_Images",
    "MRA": "3D TOF\nTOF\ntof_mra\nCE_MRA",
    "bSSFP": "bTFE\nCISS",
    "CT": "CTAC\nCT_AC\nAC_CT\nCT_soft\nLDCT\nCT WB 3.0 B31f\nplanning_ct\nCT +C\npt_0001_ct",
    "PET": "PET_AC\nPETsuv\npet_suv_registered\n18F-FDG-PET\n[18F]PSMA\nGa68-PET\n68Ga-DOTATATE\n"
    "DOTATATE\nFET\nFET_PET\nPET WB\nF18-PSMA-1007\nSUVbw",
    "Subtraction": "T1_sub\nsubtraction",
    "MTR": "MTR",
    "QSM": "QSM",
    IGNORE: "localizer\nscout\nmIP_Images(SW)\naparc+aseg\nT1_brain_mask\nt1_brainmask",
    LABEL: "T1_mask\nT1_mask2\nflair_seg\nT2_lesion\nFLAIR_roi\npet_mask\nt1_lesionmask\nT1_GTVp",
}

# What looks like a modality and is none, or could be several.
FALSE_FRIENDS = {
    "T1": "kmeans_T1\nslice_T1\nICE_T1\nposterior_T1\ngrade_IV_T1\nAD_T1\npat1_T1\nDENSE_T1",
    "T2": "act_T2\npost_T2",
    "FLAIR": "exit1_flair\npat1_flair\ncarpet_flair",
    UNKNOWN: """
        t10; ct2; actor; carpet; tract; slice; post; post_contrast; gado; KM; pat1;
        exit1; petct; t1_to_ct; T1_T2; PD_T2; PET_CT; FLAIR_to_T1; FLAIR_in_T1_space;
        T2_to_FLAIR; T2_reg_FLAIR; T1_to_T1GD; T1_to_post; MR_to_CT; T1_pre_post;
        T1_nativ_KM; T1 w and wo contrast; DTI_eddy_L1; scan;
        """,
}


def table_rows() -> list[tuple[str, str, str]]:
    """Return source, name and modality, one row per name."""
    rows = [
        (source, name, modality)
        for source, names in COHORTS.items()
        for modality, text in names.items()
        for name in text.split()
    ]
    for source, table in (("series", SERIES), ("false friends", FALSE_FRIENDS)):
        for modality, text in table.items():
            rows += [
                (source, line.strip(), modality)
                for line in re.split(r"[\n;]", text)
                if line.strip()
            ]
    return rows
